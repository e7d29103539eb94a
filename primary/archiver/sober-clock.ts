/**
 * The time used for irreversible deletes. It never runs ahead of last archive write + monotonic time + CLOCK_JUMP_MS_MAX, so a
 * wall clock that jumps forward deletes nothing early. After a long stop it is late: some files then stay until a later start.
 */
import type { Clock } from '../../shared/clock.ts'
import { CLOCK_JUMP_MS_MAX } from '../../shared/limits.ts'

export class SoberClock {
  readonly #clock: Clock
  #known: { readonly wallMs: number; readonly monotonicMs: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Sets the time of the last write before this start; undefined for a new archive. Only the first call counts. */
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
