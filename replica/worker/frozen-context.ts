/**
 * A frozen context holds everything that a verdict depends on, except token and access, for a span of a few milliseconds. It
 * saves most reads of the clocks, which cost as much as the rest of a cache hit. A verdict is computed from the context. Then
 * the clocks are read once. If the span has not ended, the lease was running before and after. If the span has ended, for
 * example because the process was stopped, the verdict is computed again. The earliest and latest times of a context hold for
 * its whole span.
 */
import { elapsedMs, type ClockReading } from '../../shared/freshness/clock-reading.ts'
import { remainingMs } from '../../shared/freshness/holder.ts'
import type { Context } from '../../shared/verifier/access.ts'
import { type FeedState, type CacheBasis, basisOf } from './feed-core.ts'

export interface FrozenContext {
  readonly basis: CacheBasis
  readonly context: Context
  readonly from: ClockReading
  readonly spanMs: number
}

/** Long enough to save most reads of the clocks, and short compared with the times in caveats. */
export const SPAN_MS = 5
/** Used if a machine is so busy that computing one verdict takes longer than `SPAN_MS`. */
export const LONG_SPAN_MS = 250
/** Allowance for clocks that run at different rates. */
const SPAN_MARGIN_MS = 1

/** Undefined while the cache must not answer. */
export function frozenContextOf(state: FeedState, now: ClockReading, spanMsMax: number): FrozenContext | undefined {
  const basis = basisOf(state, now)
  if (basis === undefined) return undefined
  const { earliestMs: nowEarliestMs, region } = basis
  const spanMs = Math.min(spanMsMax, remainingMs(state.holder, now))
  const nowLatestMs = basis.latestMs + spanMs + SPAN_MARGIN_MS
  const context = { nowEarliestMs, nowLatestMs, region, stalenessMs: basis.ageMs + spanMs }
  return { basis, context, from: now, spanMs }
}

export function isCurrent({ from, spanMs }: FrozenContext, now: ClockReading): boolean {
  return elapsedMs(from, now) < spanMs
}
