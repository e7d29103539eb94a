/** One look at all three clocks. A lease is over when any of them says so: each of them can stand still where others go on. */

export interface ClockReading {
  /** Stands still while the machine sleeps. */
  readonly monotonicMs: number
  /** Goes on while the machine sleeps. */
  readonly boottimeMs: number
  /** Unix milliseconds; may jump, also backwards. */
  readonly wallMs: number
}

/** The most that any clock says has passed. A wall clock that jumps ahead ends leases early; one set back lengthens none. */
export function elapsedMs(from: ClockReading, to: ClockReading): number {
  return Math.max(to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs, to.wallMs - from.wallMs)
}
