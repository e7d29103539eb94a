/**
 * Pure core of what time a node believes it is (S13). A wall clock that is set back revives no expired token: upper bounds
 * of time are judged by the latest credible time, which goes on with the clocks that cannot be set. One that jumps ahead is
 * not believed: the node is unavailable until the clock comes back, a peer agrees, or an operator says so.
 */
import { CLOCK_JUMP_MS_MAX, CLOCK_STOP_MS_MAX } from '../limits.ts'
import type { ClockReading } from './clock-reading.ts'

/** What a peer says of the time: a replica with its pings, the primary with its answers. */
export interface StatedTime {
  /** Its wall clock as it is. */
  readonly wallMs: number
  /** The latest time it believes; undefined while it is in doubt, or where it is not its place to say. */
  readonly believedMs: number | undefined
}

interface Heard extends StatedTime {
  /** Between these two it was stated. */
  readonly sent: ClockReading
  readonly received: ClockReading
}

export interface TimeState {
  readonly anchor: ClockReading
  /** The latest credible time at the anchor. */
  readonly anchorMs: number
  /** Why the anchor itself is not believed. */
  readonly unproven: string | undefined
  /** The newest statement of each peer. */
  readonly heard: ReadonlyMap<string, Heard>
}

/** Upper bounds of time are judged by the latest it may be, lower ones by the earliest. Unix milliseconds. */
export interface BelievedTime {
  readonly earliestMs: number
  readonly latestMs: number
}

export type JudgedTime =
  | ({ readonly credible: true } & BelievedTime)
  | { readonly credible: false; readonly message: string }

export interface TimeStart {
  /** A time that had certainly come when this node last ran; undefined when nothing is known of it. */
  readonly persistedMs: number | undefined
  /** The operator says that the clock is right. */
  readonly accepted: boolean
  /** There are peers to agree, so that nothing longer than a jump has to be taken on this clock's word alone. */
  readonly witnessed?: boolean
}

/** Statements older than this say nothing of what the clock shows now. */
const AGREEMENT_MS_MAX = 10_000
/** Clocks that are within the assumed error of their rates drift apart by less than this share. */
const DRIFT = 0.01
const DAY_MS = 86_400_000

export function startTime(
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

/** A peer's word that came between a question sent and its receipt; without a question both are the receipt. */
export function hearTime(
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
  const wentMs = progressMs(anchor, now)
  const expectedMs = anchorMs + wentMs
  const aheadMs = now.wallMs - expectedMs
  if (aheadMs > CLOCK_JUMP_MS_MAX + wentMs * DRIFT) return doubt(`the clock jumped ahead by ${seconds(aheadMs)}`)
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

/** Those heard lately: one at least shows the time of our wall clock, and no more than that show another. */
function peersAgree({ heard }: TimeState, now: ClockReading): boolean {
  const lately = [...heard.values()].filter(({ received }) => progressMs(received, now) <= AGREEMENT_MS_MAX)
  const agreeing = lately.filter(({ wallMs, sent, received }) => {
    const apart = apartMs(now.wallMs, wallMs + progressMs(received, now), wallMs + progressMs(sent, now))
    return apart <= CLOCK_JUMP_MS_MAX
  })
  return agreeing.length > 0 && agreeing.length * 2 >= lately.length
}

/** What the clocks say that nobody can set. */
export function progressMs(from: ClockReading, to: ClockReading): number {
  return Math.max(0, to.monotonicMs - from.monotonicMs, to.boottimeMs - from.boottimeMs)
}

/** Distance of a time from a range. */
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
