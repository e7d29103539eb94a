/**
 * The clock of irreversible deletes. It is the wall clock, but never ahead of a known past time + elapsed monotonic time +
 * CLOCK_JUMP_MS_MAX. So a wall clock that jumps forward deletes nothing early. After a long stop this clock is late, and some
 * deletes wait for a later start.
 */
import type { Clock } from './clock.ts'
import { CLOCK_JUMP_MS_MAX } from './limits.ts'

export class DeletionClock {
  readonly #clock: Clock
  #known: { readonly wallMs: number; readonly monotonicMs: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Sets the known past time: the last write before this start. Undefined if there was none. Only the first call counts. */
  startFrom(lastWriteMs: number | undefined): void {
    this.#known ??= { wallMs: lastWriteMs ?? this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() }
  }

  nowMs(): number {
    const { wallMs, monotonicMs } = this.#clock
    if (this.#known === undefined) return wallMs()
    const went = monotonicMs() - this.#known.monotonicMs
    return Math.min(wallMs(), this.#known.wallMs + went + CLOCK_JUMP_MS_MAX)
  }
}
