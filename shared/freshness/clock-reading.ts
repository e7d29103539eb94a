/**
 * One reading of all three clocks. A lease is over if any of them says so, because each can stand still, or be set back, while
 * the others go on.
 */

export interface ClockReading {
  /** Stands still while the machine sleeps. */
  readonly monotonicMs: number
  /** Advances while the machine sleeps. */
  readonly boottimeMs: number
  /** Unix milliseconds; may jump, also backwards. */
  readonly wallMs: number
}

/** The longest time that any clock shows. A wall clock that jumps ahead ends leases early; one set back lengthens none. */
export function elapsedMs(from: ClockReading, to: ClockReading): number {
  return Math.max(to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs, to.wallMs - from.wallMs)
}
