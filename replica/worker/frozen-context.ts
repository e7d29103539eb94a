/**
 * A few milliseconds in which everything that verdicts depend on stays as it is, but for token and access. It saves most of
 * the looks at clocks, which cost as much as all the rest of a hit: a verdict is computed by the moment, and only then the
 * clocks are asked, once, whether the moment still lasts. If it does, the lease ran before as well as after; if not, because
 * it was over or the process was stopped in the middle, the verdict is computed anew. Times are bounded for the whole span.
 */
import { elapsedMs, type ClockReading } from '../../shared/freshness/clock-reading.ts'
import { remainingMs } from '../../shared/freshness/holder.ts'
import type { Context } from '../../shared/verifier/access.ts'
import { type FeedState, type CacheBasis, standingOf } from './feed-core.ts'

export interface FrozenContext {
  readonly standing: CacheBasis
  readonly context: Context
  readonly from: ClockReading
  readonly spanMs: number
}

/** Long enough to save looks at the clock, short beside what caveats count in. */
export const SPAN_MS = 5
/** For a machine that is so busy that computing a verdict takes longer than that. */
export const LONG_SPAN_MS = 250
/** Room for clocks that differ in rate. */
const SPAN_MARGIN_MS = 1

/** Undefined while nothing may be answered from the cache. */
export function frozenContextOf(state: FeedState, now: ClockReading, spanMsMax: number): FrozenContext | undefined {
  const standing = standingOf(state, now)
  if (standing === undefined) return undefined
  const { earliestMs: nowEarliestMs, region } = standing
  const spanMs = Math.min(spanMsMax, remainingMs(state.holder, now))
  const nowLatestMs = standing.latestMs + spanMs + SPAN_MARGIN_MS
  const context = { nowEarliestMs, nowLatestMs, region, stalenessMs: standing.ageMs + spanMs }
  return { standing, context, from: now, spanMs }
}

export function lasts({ from, spanMs }: FrozenContext, now: ClockReading): boolean {
  return elapsedMs(from, now) < spanMs
}
