/** One connection of a supervisor, from the welcome until it is closed: runs its user, and watches its age. */
import type { Clock, Timers } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { CONNECTION_AGE_MS_MAX, NOISE_FRAMES_MAX, REQUESTS_CLOSE_TIMEOUT_MS } from '../limits.ts'
import type { Connection } from './connection.ts'

export interface SessionOptions {
  readonly connection: Connection
  readonly run: (connection: Connection, retire: AbortSignal) => Promise<void>
  readonly clock: Clock & Timers
  /** Random number in [0, 1) that spreads the ages. */
  readonly uniform: number
  readonly ageMsMax: number
}

/** Interval at which age and frames are checked. At a million frames a second, 2^31 frames take more than half an hour. */
const CHECK_MS = 60_000

/** `Supervisor` decides what follows an outcome; a session only reports it. */
export class Session {
  /** Resolves when the connection is gone and its user has returned, with undefined if both ended in order. */
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

  /** Resolves with the first event: the connection ended, its age is due, or the signal aborted. */
  async watch(signal: AbortSignal): Promise<'ended' | 'due' | 'stopped'> {
    const ended = this.outcome.then(() => 'ended' as const)
    for (;;) {
      if (signal.aborted) return 'stopped'
      if (this.#due()) return 'due'
      const first = await this.#firstOf(ended, Math.min(CHECK_MS, Math.max(1, this.#remainingMs())), signal)
      if (first === 'ended') return 'ended'
    }
  }

  /** Asks the user to finish, for a limited time, then closes. Never rejects. */
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
      // If the connection broke first, its error is the reason, and the user's error only follows from it.
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

/**
 * The age at which a connection is replaced. This Noise implementation counts frames with 32 bits and cannot change keys, so a
 * connection must end before the counter does, at a time when a new one can overlap it. Between 75 % and 100 % of the largest
 * age, so that the peers of a restarted node do not all reconnect at once again.
 */
export function plannedAgeMs(uniform: number, ageMsMax: number = CONNECTION_AGE_MS_MAX): number {
  return ageMsMax * (0.75 + 0.25 * uniform)
}

/** True if the connection has reached its planned age, or the limit of Noise frames. */
export function rotationDue(ageMs: number, plannedMs: number, frames: number): boolean {
  return ageMs >= plannedMs || frames >= NOISE_FRAMES_MAX
}
