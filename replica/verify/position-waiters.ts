/** Verifications that wait for a state, limited in number and memory. Each is woken when this replica has applied something. */
import type { Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import {
  MIN_POSITION_WAIT_MS,
  MIN_POSITION_WAITERS_MAX,
  MIN_POSITION_WAITING_CHARS_MAX,
  RETRY_AFTER_MS,
} from '../../shared/limits.ts'

export class PositionWaiters {
  readonly #timers: Pick<Timers, 'after'>
  readonly #waiting = new Set<() => void>()
  #chars = 0

  constructor(timers: Pick<Timers, 'after'>) {
    this.#timers = timers
  }

  /**
   * Waits until `reached` returns true. False if the time runs out first. `chars` is the size of the call in memory. Throws
   * overloaded, and the errors of `reached`.
   */
  async wait(chars: number, reached: () => boolean): Promise<boolean> {
    if (reached()) return true
    if (this.#waiting.size >= MIN_POSITION_WAITERS_MAX || this.#chars + chars > MIN_POSITION_WAITING_CHARS_MAX) {
      throw new MacaroondError('overloaded', 'too many verifications wait for a position', {
        hint: 'try again in a second',
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const check = (): void => {
      try {
        if (reached()) resolve(true)
      } catch (error) {
        reject(error)
      }
    }
    const callOff = this.#timers.after(MIN_POSITION_WAIT_MS, () => resolve(false))
    this.#waiting.add(check)
    this.#chars += chars
    try {
      return await promise
    } finally {
      callOff()
      this.#waiting.delete(check)
      this.#chars -= chars
    }
  }

  /** To be called when this replica has applied something or renewed its lease. */
  wake(): void {
    for (const look of this.#waiting) look()
  }
}
