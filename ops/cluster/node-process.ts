/**
 * One node as a child process. Its log goes to a file. Its stdin is a pipe from this process, which the system closes when this
 * process ends in whatever way, and the node then stops (parent-watch.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { fromReport, isErrorCode, MacaroondError, type ErrorReport } from '../../shared/errors.ts'
import type { NodeSpec } from './folder.ts'
import { STOP_WITH_STDIN } from './parent-watch.ts'

/**
 * Options of Node.js for a macaroond process. Under load V8 lets the space of young objects grow to three times 16 MB and never
 * shrinks it. A node's objects are small and die young, so half the space is as fast and saves memory.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8']

/** Longer than the limit that a node sets for its own stop. */
const STOP_TIMEOUT_MS = 12_000
/** The end of the log that an error quotes: enough for the reason, short enough to read. */
const LOG_LINES = 8
const LOG_LINE_CHARS_MAX = 300

/** The program has the extension of this file: `.ts` in a checkout, `.js` in an installed package. */
const PROGRAM: string = fileURLToPath(new URL(`../cli${extname(import.meta.url)}`, import.meta.url))

/** The command that starts a node, also by hand or from another program. */
export function commandOf({ role, config }: NodeSpec): readonly string[] {
  return [process.execPath, ...NODE_FLAGS, PROGRAM, '--lenient-files', role, '--config', config]
}

/** Starts the process in its constructor. Every error is reported by `ready` or `ended`. */
export class NodeProcess {
  /** Resolves with the way it ended: `status 1`, `SIGKILL`. */
  readonly ended: Promise<string>
  readonly #spec: NodeSpec
  readonly #child: ChildProcess
  /** Size of the log file when this process began to write to it. */
  readonly #logStart: number

  constructor(spec: NodeSpec) {
    const [program = '', ...args] = commandOf(spec)
    const log = openSync(spec.log, 'a', 0o600)
    this.#spec = spec
    this.#logStart = fstatSync(log).size
    const env = { ...process.env, [STOP_WITH_STDIN]: '1' }
    this.#child = spawn(program, [...args, '--json'], { stdio: ['pipe', 'pipe', log], env })
    // The child has its own copy of the descriptor.
    closeSync(log)
    // Nothing is written to the pipe, but it breaks if the node ends first.
    this.#child.stdin?.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (status, signal) => resolve(signal ?? `status ${status}`))
      this.#child.once('error', (error) => resolve(error.message))
    })
  }

  /** 0 if the process could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Resolves when the node reports that it listens. Throws the node's own error, or start_failed with the end of its log. */
  async ready(): Promise<void> {
    const line = await firstLine(this.#child.stdout as Readable)
    const report = line === undefined ? undefined : (JSON.parse(line) as { ready?: true; error?: ErrorReport })
    if (report?.ready === true) return
    const how = await this.ended
    throw report?.error === undefined ? this.#startFailed(how) : this.#ownError(report.error)
  }

  /** Sends SIGKILL. Resolves when the process has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  /** Lets the node stop in an orderly way. Resolves when the process has ended. */
  async stop(): Promise<void> {
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.ended
    clearTimeout(timer)
  }

  /** The error that the node reported, with its name in front, because several nodes start at once. */
  #ownError({ code, message, hint }: ErrorReport): MacaroondError {
    const { name } = this.#spec
    const report = { code: isErrorCode(code) ? code : 'start_failed', message: `${name} did not start: ${message}` }
    return fromReport(hint === undefined ? report : { ...report, hint })
  }

  /** The error for a node that ended without a report, such as one that was killed. */
  #startFailed(how: string): MacaroondError {
    const { name, log } = this.#spec
    const lines = readFileSync(log).toString('utf8', this.#logStart).trimEnd().split('\n').slice(-LOG_LINES)
    const end = lines.map((line) => line.slice(0, LOG_LINE_CHARS_MAX)).join('\n')
    return new MacaroondError('start_failed', `${name} ended at its start (${how}); its log ends with:\n${end}`, {
      hint: `the whole log is ${log}`,
    })
  }
}

/** The first line. Later output is read and dropped, because a full pipe would block the node. */
async function firstLine(stdout: Readable): Promise<string | undefined> {
  try {
    for await (const line of createInterface({ input: stdout })) return line
    return undefined
  } finally {
    stdout.resume()
  }
}
