/** One connection in the hands of its user, from the welcome until it is closed. */
import type { Clock, Timers } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { REQUESTS_CLOSE_TIMEOUT_MS } from '../limits.ts'
import type { Connection } from './connection.ts'
import { plannedAgeMs, rotationDue } from './rotation.ts'

export interface SessionOptions {
  readonly connection: Connection
  readonly run: (connection: Connection, retire: AbortSignal) => Promise<void>
  readonly clock: Clock & Timers
  /** In [0, 1): spreads the ages. */
  readonly uniform: number
  readonly ageMsMax: number
}

/** How often age and frames are looked at. At a million frames a second 2^31 more would still take half an hour. */
const LOOK_MS = 60_000

export class Session {
  /** Resolves when the connection is gone and its user is done; undefined when that was in order. */
  readonly outcome: Promise<MacaroondError | undefined>
  readonly #options: SessionOptions
  readonly #retire = new AbortController()
  readonly #startedMs: number
  readonly #plannedMs: number

  constructor(options: SessionOptions) {
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
    this.#plannedMs = plannedAgeMs(options.uniform, options.ageMsMax)
    this.outcome = this.#run()
  }

  /** What comes first: the end of the connection, its age, or the signal. */
  async watch(signal: AbortSignal): Promise<'ended' | 'due' | 'stopped'> {
    const ended = this.outcome.then(() => 'ended' as const)
    for (;;) {
      if (signal.aborted) return 'stopped'
      if (this.#due()) return 'due'
      const first = await this.#firstOf(ended, Math.min(LOOK_MS, Math.max(1, this.#remainingMs())), signal)
      if (first === 'ended') return 'ended'
    }
  }

  /** Lets the user finish (bounded), then closes. Never rejects. */
  async retire(): Promise<void> {
    this.#retire.abort()
    const { clock, connection } = this.#options
    const callOff = clock.after(REQUESTS_CLOSE_TIMEOUT_MS, () => void connection.close())
    await this.outcome
    callOff()
  }

  /** Never rejects. */
  async #run(): Promise<MacaroondError | undefined> {
    const { connection, run } = this.#options
    try {
      await run(connection, this.#retire.signal)
      await connection.close()
      return await connection.closed
    } catch (cause) {
      const error = asError(cause)
      connection.abort(error)
      // Where the connection broke first, that is the reason, and not what its user made of it.
      return (await connection.closed) ?? error
    }
  }

  async #firstOf(ended: Promise<'ended'>, waitMs: number, signal: AbortSignal): Promise<'ended' | 'looked'> {
    let wake: () => void = () => undefined
    const looked = new Promise<'looked'>((resolve) => (wake = () => resolve('looked')))
    const callOff = this.#options.clock.after(waitMs, wake)
    signal.addEventListener('abort', wake)
    try {
      return await Promise.race([ended, looked])
    } finally {
      callOff()
      signal.removeEventListener('abort', wake)
    }
  }

  #due(): boolean {
    const ageMs = this.#options.clock.monotonicMs() - this.#startedMs
    return rotationDue(ageMs, this.#plannedMs, this.#options.connection.frames)
  }

  #remainingMs(): number {
    return this.#plannedMs - (this.#options.clock.monotonicMs() - this.#startedMs)
  }
}

function asError(cause: unknown): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  return new MacaroondError('internal', cause instanceof Error ? cause.message : 'the connection failed', { cause })
}
