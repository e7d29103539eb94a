/**
 * Pure core of the authority's time, which stamps rows, audit records, segments, snapshots and archive entries. It starts at
 * the issue clock and advances with the clocks that nobody can set. While the wall clock is believed, the authority's time
 * catches up with it. A wall clock in doubt does not change the authority's time.
 */
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import { type BelievedTime, type JudgedTime, progressMs } from '../../shared/freshness/credible-time.ts'

export interface AuthorityTime {
  readonly start: ClockReading
  readonly issueClockMs: number
  /** Milliseconds by which the authority's time is ahead of the steady time. It never decreases. */
  readonly aheadMs: number
}

/** The times of one decision, unix milliseconds. */
export interface AuthorityMoment {
  /** The authority's time. */
  readonly nowMs: number
  /** The issue clock at start plus the elapsed time, without the wall clock. It measures intervals. */
  readonly steadyMs: number
  /** The wall clock, believed or not: a detail for the audit. */
  readonly wallMs: number
  /** Undefined while the clock is in doubt. */
  readonly believed: BelievedTime | undefined
}

export function startAuthorityTime(start: ClockReading, issueClockMs: number): AuthorityTime {
  return { start, issueClockMs, aheadMs: 0 }
}

export function stepAuthorityTime(state: AuthorityTime, time: JudgedTime, now: ClockReading): AuthorityTime {
  if (!time.credible) return state
  return { ...state, aheadMs: Math.max(state.aheadMs, time.latestMs - steadyMs(state, now)) }
}

export function momentOf(state: AuthorityTime, time: JudgedTime, now: ClockReading): AuthorityMoment {
  const steady = steadyMs(state, now)
  return {
    nowMs: Math.floor(steady + state.aheadMs),
    steadyMs: Math.floor(steady),
    wallMs: Math.floor(now.wallMs),
    believed: time.credible ? time : undefined,
  }
}

function steadyMs({ start, issueClockMs }: AuthorityTime, now: ClockReading): number {
  return issueClockMs + progressMs(start, now)
}
