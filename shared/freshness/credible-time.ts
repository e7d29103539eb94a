/**
 * Pure core that decides which time a node believes (S13). A wall clock that is set back revives no expired token: expiry is
 * judged by the latest credible time, which advances with the clocks that cannot be set. A wall clock that jumps ahead is
 * doubted: the node is unavailable until the clock returns, its peers agree with it, or an operator accepts it.
 */
import { CLOCK_JUMP_MS_MAX, CLOCK_STOP_MS_MAX } from '../limits.ts'
import type { ClockReading } from './clock-reading.ts'

/** The time as a peer states it: a replica in its pings, the primary in its answers. */
export interface StatedTime {
  /** The peer's wall clock, unjudged. */
  readonly wallMs: number
  /** The latest time it believes; undefined while it doubts its clock, and from peers whose belief does not count. */
  readonly believedMs: number | undefined
}

interface Heard extends StatedTime {
  /** It was stated between these two readings. */
  readonly sent: ClockReading
  readonly received: ClockReading
}

export interface TimeState {
  readonly anchor: ClockReading
  /** The latest credible time at the reading `anchor`. */
  readonly anchorMs: number
  /** The reason why the anchor is doubted; undefined if it is believed. */
  readonly unproven: string | undefined
  /** The newest statement of each peer. */
  readonly heard: ReadonlyMap<string, Heard>
}

/** The present time lies between the two. "Before T" is judged by the latest, "after T" by the earliest. Unix milliseconds. */
export interface BelievedTime {
  readonly earliestMs: number
  readonly latestMs: number
}

export type JudgedTime =
  | ({ readonly credible: true } & BelievedTime)
  | { readonly credible: false; readonly message: string }

export interface TimeStart {
  /** A lower bound of the present time, recorded when this node last ran; undefined if none is known. */
  readonly persistedMs: number | undefined
  /** True if the operator says that the clock is right. */
  readonly accepted: boolean
  /** True if peers can confirm the time. Then a stop longer than CLOCK_JUMP_MS_MAX needs their confirmation. */
  readonly witnessed?: boolean
}

/** A statement older than this is not used to confirm the clock. */
const AGREEMENT_MS_MAX = 10_000
/** Two clocks within the assumed rate error drift apart by less than this fraction. */
const DRIFT = 0.01
const DAY_MS = 86_400_000

export function initialTime(
  now: ClockReading,
  { persistedMs = now.wallMs, accepted, witnessed = false }: TimeStart,
): TimeState {
  const stoppedMs = now.wallMs - persistedMs
  const unproven =
    accepted || stoppedMs <= (witnessed ? CLOCK_JUMP_MS_MAX : CLOCK_STOP_MS_MAX)
      ? undefined
      : `the clock says that this node was stopped for ${duration(stoppedMs)}`
  return { anchor: now, anchorMs: Math.max(now.wallMs, persistedMs), unproven, heard: new Map() }
}

/**
 * Raises the latest time to the issue clock of applied pages, as a start does. Without this, a replica would doubt a primary
 * whose issue clock is ahead, and only a restart of the replica would end the doubt. A wall clock that is ahead of both stays
 * in doubt.
 */
export function raiseToIssueClock(state: TimeState, issuedMs: number, now: ClockReading): TimeState {
  const expectedMs = state.anchorMs + progressMs(state.anchor, now)
  if (issuedMs <= Math.max(expectedMs, now.wallMs)) return state
  return { ...state, anchor: now, anchorMs: issuedMs }
}

/** Records a peer's statement. `sent` is when it was requested; for a statement without a request, `sent` is `received`. */
export function recordStatedTime(
  state: TimeState,
  from: string,
  stated: StatedTime,
  { sent, received }: { readonly sent: ClockReading; readonly received: ClockReading },
): TimeState {
  const heard = new Map(state.heard).set(from, { ...stated, sent, received })
  const next = { ...state, heard }
  if (judgeTime(next, received).credible || !peersAgree(next, received)) return next
  return { ...next, anchor: received, anchorMs: received.wallMs, unproven: undefined }
}

export function judgeTime(state: TimeState, now: ClockReading): JudgedTime {
  const { anchor, anchorMs, unproven, heard } = state
  if (unproven !== undefined) return doubt(unproven)
  const passedMs = progressMs(anchor, now)
  const expectedMs = anchorMs + passedMs
  const aheadMs = now.wallMs - expectedMs
  if (aheadMs > CLOCK_JUMP_MS_MAX + passedMs * DRIFT) return doubt(`the clock jumped ahead by ${seconds(aheadMs)}`)
  let latestMs = Math.max(now.wallMs, expectedMs)
  let earliestMs = now.wallMs
  for (const { believedMs, sent, received } of heard.values()) {
    if (believedMs === undefined) continue
    const apart = apartMs(latestMs, believedMs + progressMs(received, now), believedMs + progressMs(sent, now))
    if (apart > CLOCK_JUMP_MS_MAX + progressMs(sent, now) * DRIFT)
      return doubt(`the clock is ${seconds(apart)} apart from the primary's`)
    latestMs = Math.max(latestMs, believedMs + progressMs(sent, now))
    earliestMs = Math.min(earliestMs, believedMs + progressMs(received, now))
  }
  return { credible: true, earliestMs, latestMs }
}

/** True if at least one recent statement agrees with our wall clock, and at least half of them do. */
function peersAgree({ heard }: TimeState, now: ClockReading): boolean {
  const lately = [...heard.values()].filter(({ received }) => progressMs(received, now) <= AGREEMENT_MS_MAX)
  const agreeing = lately.filter(({ wallMs, sent, received }) => {
    const apart = apartMs(now.wallMs, wallMs + progressMs(received, now), wallMs + progressMs(sent, now))
    return apart <= CLOCK_JUMP_MS_MAX
  })
  return agreeing.length > 0 && agreeing.length * 2 >= lately.length
}

/** Time passed, by the two clocks that nobody can set. */
export function progressMs(from: ClockReading, to: ClockReading): number {
  return Math.max(0, to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs)
}

/** Distance of a time from a range; 0 inside it. */
function apartMs(timeMs: number, fromMs: number, toMs: number): number {
  return Math.max(0, fromMs - timeMs, timeMs - toMs)
}

function duration(ms: number): string {
  return ms < DAY_MS ? seconds(ms) : `${Math.round(ms / DAY_MS)} days`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

function doubt(message: string): JudgedTime {
  return { credible: false, message }
}
