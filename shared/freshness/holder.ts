/**
 * Pure core of whoever holds a lease of freshness: a replica of its primary's, a worker of its replica's. It pings; the
 * grantor answers with where it stands and how long that may be relied on. The lease
 *
 * - runs from the moment the answered ping was SENT, never from the receipt of anything;
 * - counts only once everything up to the grantor's answer is applied here;
 * - lives in memory alone: a restart begins without one.
 */
import { elapsedMs, type ClockReading } from './clock-reading.ts'

/** The grantor's answer to one ping. */
export interface Grant {
  readonly id: number
  /** The process that answers: a restarted grantor has another. */
  readonly boot: string
  readonly epoch: number
  readonly timeline: string
  /** Its last revocation, and its last transaction. */
  readonly seq: number
  readonly txid: number
  /** The grantor's choice; 0 when it gives none now. */
  readonly leaseMs: number
}

/** What the holder has applied so far. */
export interface Applied {
  /** History that `seq` counts in; undefined before the first. */
  readonly timeline: string | undefined
  /** Every revocation up to this one is enforced. */
  readonly seq: number
  /** The state of its own database; undefined without one. */
  readonly pages: { readonly timeline: string; readonly txid: number } | undefined
}

export interface Ping {
  readonly id: number
  readonly sent: ClockReading
}

export interface Lease {
  readonly grant: Grant
  readonly sent: ClockReading
}

export interface HolderState {
  /** False for holders without a database: revocations are then all they must have applied. */
  readonly needsPages: boolean
  /** Boot id of the grantor at the other end of the connection; undefined while there is none. */
  readonly grantor: string | undefined
  readonly nextId: number
  readonly inFlight: readonly Ping[]
  /** Answered, but not everything in the answer is applied yet; oldest first. */
  readonly pending: readonly Lease[]
  readonly lease: Lease | undefined
  /** The highest epoch seen: grants of lower ones are void (S7). */
  readonly epoch: number
  /** Its timeline: another one in the same epoch is another history. */
  readonly timeline: string | undefined
  /** The timeline whose pages this process once had in full; from then on its revocations are enough. */
  readonly paged: string | undefined
}

export type HolderEvent =
  | { readonly kind: 'connected'; readonly grantor: string }
  | { readonly kind: 'disconnected' }
  /** Takes the number of the ping from `nextId` before the step. */
  | { readonly kind: 'pinged' }
  | { readonly kind: 'granted'; readonly grant: Grant; readonly applied: Applied }
  | { readonly kind: 'applied'; readonly applied: Applied }
  /** The epoch that was seen is not believed any more: whatever rests on it goes. */
  | { readonly kind: 'epoch forgotten' }

/** Pings whose answers are still welcome. Many more than a lease holds: a grantor that is slow is not one that is gone. */
const IN_FLIGHT_MAX = 256

export function startHolder({ needsPages }: { readonly needsPages: boolean }): HolderState {
  const nothing = { grantor: undefined, lease: undefined, timeline: undefined, paged: undefined }
  return { needsPages, nextId: 1, inFlight: [], pending: [], epoch: -1, ...nothing }
}

export function stepHolder(state: HolderState, event: HolderEvent, now: ClockReading): HolderState {
  switch (event.kind) {
    case 'connected':
      return { ...state, grantor: event.grantor, inFlight: [] }
    case 'disconnected':
      // An answer comes on the connection of its ping or not at all.
      return { ...state, grantor: undefined, inFlight: [] }
    case 'pinged':
      return pinged(state, now)
    case 'granted':
      return granted(state, event.grant, event.applied, now)
    case 'applied':
      return applied(state, event.applied, now)
    case 'epoch forgotten': {
      const nothing = { lease: undefined, timeline: undefined, paged: undefined }
      return { ...state, ...nothing, epoch: -1, pending: [] }
    }
  }
}

/** What is left of the lease, in milliseconds; 0 without one. */
export function remainingMs({ lease }: HolderState, now: ClockReading): number {
  return lease === undefined ? 0 : Math.max(0, lease.grant.leaseMs - elapsedMs(lease.sent, now))
}

/** Age of what is applied here, by the newest answer that it satisfies; Infinity before the first. */
export function ageMs({ lease }: HolderState, now: ClockReading): number {
  return lease === undefined ? Infinity : Math.max(0, elapsedMs(lease.sent, now))
}

function pinged(state: HolderState, now: ClockReading): HolderState {
  const ping = { id: state.nextId, sent: now }
  return { ...state, nextId: state.nextId + 1, inFlight: [...state.inFlight, ping].slice(-IN_FLIGHT_MAX) }
}

/** Each ping is answered once: a second answer, or one to a ping that is long forgotten, says nothing. */
function granted(state: HolderState, grant: Grant, has: Applied, now: ClockReading): HolderState {
  const ping = state.inFlight.find(({ id }) => id === grant.id)
  if (ping === undefined || grant.boot !== state.grantor) return state
  const answered = { ...state, inFlight: state.inFlight.filter((other) => other !== ping) }
  const fenced = underFence(answered, grant)
  if (fenced === undefined || grant.leaseMs <= 0) return fenced ?? answered
  const pending = [...fenced.pending, { grant, sent: ping.sent }].toSorted((a, b) => a.grant.id - b.grant.id)
  return applied({ ...fenced, pending: pending.slice(-IN_FLIGHT_MAX) }, has, now)
}

/** A higher epoch voids what a lower one granted, at once. Undefined for a grant that is void itself. */
function underFence(state: HolderState, { epoch, timeline }: Grant): HolderState | undefined {
  if (epoch < state.epoch) return undefined
  if (epoch === state.epoch) return timeline === state.timeline ? state : undefined
  return { ...state, epoch, timeline, lease: undefined, pending: [] }
}

/** The newest answer that is satisfied now becomes the lease. Answers to older pings than the lease's never do. */
function applied(state: HolderState, has: Applied, now: ClockReading): HolderState {
  const live = state.pending.filter(({ grant, sent }) => elapsedMs(sent, now) < grant.leaseMs)
  const newest = live.findLast(({ grant }) => satisfied(state, grant, has))
  if (newest === undefined) return live.length === state.pending.length ? state : { ...state, pending: live }
  const lease = newest.grant.id > (state.lease?.grant.id ?? 0) ? newest : state.lease
  const pending = live.filter(({ grant }) => grant.id > newest.grant.id)
  return { ...state, lease, pending, paged: newest.grant.timeline }
}

/** After a restart, and in a new timeline, the pages too must be there: what was before them is another state. */
function satisfied({ needsPages, paged }: HolderState, grant: Grant, { timeline, seq, pages }: Applied): boolean {
  if (timeline !== grant.timeline || seq < grant.seq) return false
  if (!needsPages || paged === grant.timeline) return true
  return pages !== undefined && pages.timeline === grant.timeline && pages.txid >= grant.txid
}
