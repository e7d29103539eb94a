/** The one owner of signals: starts a node, reloads it on SIGHUP, stops it in order on SIGTERM and SIGINT, and says how it ended. */
import { MacaroondError, reportOf } from '../errors.ts'
import type { Log } from '../log.ts'

export interface Service {
  /** Ends everything in order; resolves when nothing is left. */
  readonly stop: () => Promise<void>
  /** Reads the configuration again; what cannot change at run time is named in the log. */
  readonly reload: () => void
  /** Resolves when the node can no longer go on; it has then stopped taking writes already. */
  readonly failed: Promise<unknown>
}

/** A stop that hangs is cut short: the next start recovers from anything, as after a crash. */
const STOP_TIMEOUT_MS = 10_000

const EXIT_FAILED = 1
const EXIT_CONFLICT = 5

/** Resolves with exit status 0 once a signal has ended the node; a failure ends the process itself, with 1 or 5. */
export async function runService(start: () => Promise<Service>, log: Log): Promise<number> {
  // Before the start: a signal that comes while the node starts, or right after it said that it is ready, stops it in order.
  const asked = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
  const service = await start()
  process.on('SIGHUP', () => reload(service, log))
  const first = await Promise.race([asked.then((signal) => ({ signal })), service.failed.then((error) => ({ error }))])
  if ('error' in first) return failed(first.error, log)
  log.info({ signal: first.signal }, 'stopping')
  const obstacle = await stopped(service)
  return obstacle === undefined ? 0 : failed(obstacle, log)
}

function reload(service: Service, log: Log): void {
  try {
    service.reload()
    log.info('configuration reloaded')
  } catch (error) {
    log.error({ error: reportOf(error) }, 'the configuration was not reloaded; the one before stays in force')
  }
}

/** What kept the node from stopping in order, or ended it meanwhile: then something of it may still hold the process. */
async function stopped(service: Service): Promise<unknown> {
  const late = new MacaroondError('timeout', 'stopping took too long')
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<unknown>((resolve) => (timer = setTimeout(() => resolve(late), STOP_TIMEOUT_MS)))
  const done = service.stop().catch((error: unknown) => error ?? late)
  const obstacle: unknown = await Promise.race([done, timeout, service.failed])
  clearTimeout(timer)
  return obstacle
}

/** Nothing is closed: what is on disk is consistent at every moment, and touching it after a failure could change that. */
function failed(error: unknown, log: Log): never {
  log.fatal({ error: reportOf(error) }, 'this node stops')
  process.exit(error instanceof MacaroondError && error.kind === 'conflict' ? EXIT_CONFLICT : EXIT_FAILED)
}
