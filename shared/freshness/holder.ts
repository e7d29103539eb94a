/**
 * Pure core of a holder of freshness leases: a replica, with a lease from the primary, or a worker, with one from a replica.
 * The holder pings. The grantor answers with its position and the length of the lease. The lease
 *
 * - runs from the time at which the answered ping was SENT, never from a receipt;
 * - is valid only after everything up to the position in the answer is applied here;
 * - is in memory only, so a restarted holder has none.
 */
import { elapsedMs, type ClockReading } from './clock-reading.ts'

/** The grantor's answer to one ping. */
export interface Grant {
  readonly id: number
  /** Boot id of the grantor; a restarted grantor has another. */
  readonly boot: string
  readonly epoch: number
  readonly timeline: string
  /** Number of the grantor's last revocation; `txid` is its last transaction. */
  readonly seq: number
  readonly txid: number
  /** Length of the lease; 0 if the grantor grants none now. */
  readonly leaseMs: number
}

/** The state that the holder has applied. */
export interface Applied {
  /** The timeline that `seq` counts in; undefined before the first. */
  readonly timeline: string | undefined
  /** Every revocation up to this one is enforced. */
  readonly seq: number
  /** Position of its own database; undefined if it has none. */
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
  /** True if the holder has a database, whose pages must be applied too. A worker applies revocations only. */
  readonly needsPages: boolean
  /** Boot id of the connected grantor; undefined without a connection. */
  readonly grantor: string | undefined
  readonly nextId: number
  readonly inFlight: readonly Ping[]
  /** Answered pings whose position is not applied yet, oldest first. */
  readonly pending: readonly Lease[]
  readonly lease: Lease | undefined
  /** The highest epoch seen. Grants of lower epochs are void (S7). */
  readonly epoch: number
  /** Timeline of that epoch. Grants of another timeline in the same epoch are void. */
  readonly timeline: string | undefined
  /** The timeline whose pages this process once had completely. After that only its revocations must be applied. */
  readonly pagedTimeline: string | undefined
}

export type HolderEvent =
  | { readonly kind: 'connected'; readonly grantor: string }
  | { readonly kind: 'disconnected' }
  /** A ping was sent, with the id that `nextId` had before this step. */
  | { readonly kind: 'pinged' }
  | { readonly kind: 'granted'; readonly grant: Grant; readonly applied: Applied }
  | { readonly kind: 'applied'; readonly applied: Applied }
  /** The epoch seen is no longer believed; everything that follows from it is dropped. */
  | { readonly kind: 'epoch forgotten' }

/** Pings whose answers are still accepted. It is many more than are sent during a lease, so a slow grantor loses no lease. */
const IN_FLIGHT_MAX = 256

export function startHolder({ needsPages }: { readonly needsPages: boolean }): HolderState {
  const nothing = { grantor: undefined, lease: undefined, timeline: undefined, pagedTimeline: undefined }
  return { needsPages, nextId: 1, inFlight: [], pending: [], epoch: -1, ...nothing }
}

export function stepHolder(state: HolderState, event: HolderEvent, now: ClockReading): HolderState {
  switch (event.kind) {
    case 'connected':
      return { ...state, grantor: event.grantor, inFlight: [] }
    case 'disconnected':
      // A ping is answered on its own connection only.
      return { ...state, grantor: undefined, inFlight: [] }
    case 'pinged':
      return pinged(state, now)
    case 'granted':
      return granted(state, event.grant, event.applied, now)
    case 'applied':
      return applied(state, event.applied, now)
    case 'epoch forgotten': {
      const nothing = { lease: undefined, timeline: undefined, pagedTimeline: undefined }
      return { ...state, ...nothing, epoch: -1, pending: [] }
    }
  }
}

/** Remaining time of the lease in milliseconds; 0 without a lease. */
export function remainingMs({ lease }: HolderState, now: ClockReading): number {
  return lease === undefined ? 0 : Math.max(0, lease.grant.leaseMs - elapsedMs(lease.sent, now))
}

/** Age of the applied state in milliseconds, by the newest answer that it satisfies; Infinity before the first. */
export function ageMs({ lease }: HolderState, now: ClockReading): number {
  return lease === undefined ? Infinity : Math.max(0, elapsedMs(lease.sent, now))
}

function pinged(state: HolderState, now: ClockReading): HolderState {
  const ping = { id: state.nextId, sent: now }
  return { ...state, nextId: state.nextId + 1, inFlight: [...state.inFlight, ping].slice(-IN_FLIGHT_MAX) }
}

/** Handles an answer. A second answer to a ping, or an answer to a forgotten ping, is ignored. */
function granted(state: HolderState, grant: Grant, has: Applied, now: ClockReading): HolderState {
  const ping = state.inFlight.find(({ id }) => id === grant.id)
  if (ping === undefined || grant.boot !== state.grantor) return state
  const answered = { ...state, inFlight: state.inFlight.filter((other) => other !== ping) }
  const fenced = fence(answered, grant)
  if (fenced === undefined || grant.leaseMs <= 0) return fenced ?? answered
  const pending = [...fenced.pending, { grant, sent: ping.sent }].toSorted((a, b) => a.grant.id - b.grant.id)
  return applied({ ...fenced, pending: pending.slice(-IN_FLIGHT_MAX) }, has, now)
}

/**
 * Applies the fence: a grant of a higher epoch voids the leases of lower ones at once. Undefined if the grant itself is void.
 */
function fence(state: HolderState, { epoch, timeline }: Grant): HolderState | undefined {
  if (epoch < state.epoch) return undefined
  if (epoch === state.epoch) return timeline === state.timeline ? state : undefined
  return { ...state, epoch, timeline, lease: undefined, pending: [] }
}

/** The newest satisfied answer becomes the lease, unless the lease answers a newer ping. */
function applied(state: HolderState, has: Applied, now: ClockReading): HolderState {
  const live = state.pending.filter(({ grant, sent }) => elapsedMs(sent, now) < grant.leaseMs)
  const newest = live.findLast(({ grant }) => satisfied(state, grant, has))
  if (newest === undefined) return live.length === state.pending.length ? state : { ...state, pending: live }
  const lease = newest.grant.id > (state.lease?.grant.id ?? 0) ? newest : state.lease
  const pending = live.filter(({ grant }) => grant.id > newest.grant.id)
  return { ...state, lease, pending, pagedTimeline: newest.grant.timeline }
}

/** True if everything in the grant is applied. After a restart and in a new timeline, that includes the pages. */
function satisfied(
  { needsPages, pagedTimeline: paged }: HolderState,
  grant: Grant,
  { timeline, seq, pages }: Applied,
): boolean {
  if (timeline !== grant.timeline || seq < grant.seq) return false
  if (!needsPages || paged === grant.timeline) return true
  return pages !== undefined && pages.timeline === grant.timeline && pages.txid >= grant.txid
}
