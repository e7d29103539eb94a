/** Runs a node and owns its signals: reloads on SIGHUP, stops in order on SIGTERM and SIGINT, and returns the exit status. */
import { MacaroondError, reportOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { Hangups } from './hangups.ts'
import { type Reloadable, reloadNode } from './reload.ts'

/** A running node, as its process sees it. */
export interface Service extends Reloadable {
  /** Stops everything in order; resolves when nothing is left. */
  readonly stop: () => Promise<void>
  /** Resolves with the error when the node cannot continue; it has already stopped accepting writes. */
  readonly failed: Promise<unknown>
}

/** A stop that takes longer is aborted. That is safe, because the next start recovers as after a crash. */
const STOP_TIMEOUT_MS = 10_000

const STOPS = ['SIGTERM', 'SIGINT'] as const

const EXIT_FAILED = 1
const EXIT_CONFLICT = 5

/**
 * Resolves with exit status 0 once a signal has stopped the node. A failure ends the process, with status 1 or 5. A SIGHUP that
 * `hangups` has taken before reloads once the node is started.
 */
export async function runService(
  start: () => Promise<Service>,
  log: Log,
  hangups: Hangups = new Hangups(),
): Promise<number> {
  // The handlers come before the start, so that a signal during the start, or right after the ready line, stops the node in
  // order. They stay while it stops: a shell and npm may both pass one signal on, and the second would end the process at once.
  const { promise: asked, resolve } = Promise.withResolvers<NodeJS.Signals>()
  for (const signal of STOPS) process.on(signal, resolve)
  const service = await start()
  hangups.reloadWith(() => reloadForSignal(service, log))
  const first = await Promise.race([asked.then((signal) => ({ signal })), service.failed.then((error) => ({ error }))])
  if ('error' in first) return failed(first.error, log)
  log.info({ signal: first.signal }, 'stopping')
  const obstacle = await stopped(service)
  for (const signal of STOPS) process.off(signal, resolve)
  return obstacle === undefined ? 0 : failed(obstacle, log)
}

function reloadForSignal(service: Service, log: Log): void {
  // The log has the error, and nobody waits for an answer.
  reloadNode(service, log).catch(() => undefined)
}

/** Stops the service. Returns undefined if it stopped in order; after an error a part of the node may still be running. */
async function stopped(service: Service): Promise<unknown> {
  const late = new MacaroondError('timeout', 'stopping took too long')
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<unknown>((resolve) => (timer = setTimeout(() => resolve(late), STOP_TIMEOUT_MS)))
  const done = service.stop().catch((error: unknown) => error ?? late)
  const obstacle: unknown = await Promise.race([done, timeout, service.failed])
  clearTimeout(timer)
  return obstacle
}

/**
 * Exits without closing anything: the files on disk are consistent at any time, and a close after a failure could change that.
 */
function failed(error: unknown, log: Log): never {
  log.fatal({ error: reportOf(error) }, 'this node stops')
  process.exit(error instanceof MacaroondError && error.kind === 'conflict' ? EXIT_CONFLICT : EXIT_FAILED)
}
