/**
 * Pure core of the authority's time: rows, audit records, segments, snapshots and entries of the archive are stamped with it.
 * It begins at the issue clock and goes on with the clocks that cannot be set. While the wall clock is believed it catches up
 * with the time that is believed; a clock in doubt moves it nowhere.
 */
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import { type BelievedTime, type JudgedTime, progressMs } from '../../shared/freshness/credible-time.ts'

export interface AuthorityTime {
  readonly start: ClockReading
  readonly issueClockMs: number
  /** How far it is beyond the issue clock at the start and what went by since; never less than before. */
  readonly aheadMs: number
}

/** One moment, as a decision of the authority sees it. Unix milliseconds. */
export interface AuthorityMoment {
  /** The authority's time. */
  readonly nowMs: number
  /** The issue clock at the start and what went by since, whatever was believed: for spans between two moments. */
  readonly steadyMs: number
  /** As the clock shows it, whether it is believed or not: a detail for the audit. */
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
