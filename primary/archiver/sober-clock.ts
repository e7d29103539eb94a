/**
 * What retention, and a purge, take for now. Deleting is final, and a wall clock that jumps ahead makes everything look old: so this one
 * goes on from when the archive was last written, with the clock that cannot be set, and by a little more at most. After a
 * long stop it is late, and what it keeps too long it deletes after the next start.
 */
import type { Clock } from '../../shared/clock.ts'
import { CLOCK_JUMP_MS_MAX } from '../../shared/limits.ts'

export class SoberClock {
  readonly #clock: Clock
  #known: { readonly wallMs: number; readonly monotonicMs: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** When the archive was last written before this start; only the first word counts. Undefined for a new archive. */
  learn(lastWriteMs: number | undefined): void {
    this.#known ??= { wallMs: lastWriteMs ?? this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() }
  }

  nowMs(): number {
    const { wallMs, monotonicMs } = this.#clock
    if (this.#known === undefined) return wallMs()
    const went = monotonicMs() - this.#known.monotonicMs
    return Math.min(wallMs(), this.#known.wallMs + went + CLOCK_JUMP_MS_MAX)
  }
}
