/**
 * Pure core of a worker's cache: in which history it stands, how far, by which lease, and what of it must go.
 *
 * - Nothing is answered from the cache without a lease; when it ends, everything goes.
 * - A gap, another epoch, another process of the replica: everything goes.
 * - No state older than one that was used before is used again, whichever replica it comes from.
 */
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import { elapsedMs } from '../../shared/freshness/clock-reading.ts'
import { type Applied, type HolderState, remainingMs, startHolder, stepHolder } from '../../shared/freshness/holder.ts'
import { laterMark, MARK_NONE, type Mark } from '../../shared/freshness/mark.ts'
import type { FeedBegin, FeedGranted, FromWorker, ToWorker } from '../../shared/protocol/feed.ts'
import type { RevocationRow } from '../../shared/protocol/revocation-row.ts'
import { gapAfter, type Stretch } from '../../shared/protocol/stretch.ts'

/** The history that the cache is of, and the last revocation of it that is applied here. */
export interface Place extends Mark {
  readonly timeline: string
}

/** A replica as it was last connected to. */
interface Grantor {
  readonly boot: string
  readonly region: string
}

interface Answer {
  readonly granted: FeedGranted
  readonly received: ClockReading
}

export interface FeedState {
  readonly holder: HolderState
  readonly place: Place | undefined
  /** Nothing below it is used. */
  readonly minimum: Mark
  /** By PeerId. */
  readonly grantors: ReadonlyMap<string, Grantor>
  /** From that of the lease on, oldest first. */
  readonly answers: readonly Answer[]
  /** True from a lease until its end was seen. */
  readonly live: boolean
  /** Why this worker cannot keep anything: a revocation that it does not understand. */
  readonly fault: string | undefined
}

export type FeedEvent =
  | { readonly kind: 'connected'; readonly peer: string; readonly boot: string; readonly region: string }
  | { readonly kind: 'disconnected' }
  /** Takes the number of the ping from `holder.nextId` before the step. */
  | { readonly kind: 'pinged' }
  | { readonly kind: 'received'; readonly message: ToWorker }
  /** A verdict of a replica is about to be used. */
  | { readonly kind: 'answered'; readonly mark: Mark }
  /** A revocation of a kind that this version does not know: it must not guess what that takes away. */
  | { readonly kind: 'puzzled'; readonly message: string }
  | { readonly kind: 'looked' }

export type DropReason = 'lease ended' | 'gap' | 'new epoch' | 'replica restarted' | 'revocation not understood'

export type FeedEffect =
  | { readonly kind: 'drop all'; readonly why: DropReason }
  /** What these rows hit goes. */
  | { readonly kind: 'drop'; readonly rows: readonly RevocationRow[] }
  | { readonly kind: 'send'; readonly message: FromWorker }
  /** This replica is not for us now: another one, or the same later. */
  | { readonly kind: 'leave'; readonly why: string }

export interface FeedStep {
  readonly state: FeedState
  readonly effects: readonly FeedEffect[]
}

export function startFeed(): FeedState {
  return {
    holder: startHolder({ needsPages: false }),
    place: undefined,
    minimum: MARK_NONE,
    grantors: new Map(),
    answers: [],
    live: false,
    fault: undefined,
  }
}

/** Whatever comes, the end of a lease is seen first: what was cached by it goes before another one begins. */
export function stepFeed(before: FeedState, event: FeedEvent, now: ClockReading): FeedStep {
  const looked = look(before, now)
  const { state, effects } = take(looked.state, event, now)
  return { state, effects: [...looked.effects, ...effects] }
}

function take(state: FeedState, event: FeedEvent, now: ClockReading): FeedStep {
  switch (event.kind) {
    case 'connected':
      return connected(state, event, now)
    case 'disconnected':
      return { state: withHolder(state, stepHolder(state.holder, event, now), now), effects: [] }
    case 'pinged': {
      const message = { t: 'ping', id: state.holder.nextId } as const
      return {
        state: withHolder(state, stepHolder(state.holder, event, now), now),
        effects: [{ kind: 'send', message }],
      }
    }
    case 'received':
      return received(state, event.message, now)
    case 'answered':
      return answered(state, event.mark)
    case 'puzzled':
      return {
        state: { ...state, fault: event.message },
        effects: [{ kind: 'drop all', why: 'revocation not understood' }],
      }
    case 'looked':
      return { state, effects: [] }
  }
}

/** What a verdict from the cache is judged by. */
export interface Standing {
  /** PeerId of the replica whose lease this is. */
  readonly node: string
  readonly region: string
  readonly place: Place
  readonly txid: number
  /** Of the state, the replica's own age included. */
  readonly ageMs: number
  readonly earliestMs: number
  readonly latestMs: number
}

/** Undefined while nothing may be answered from the cache. */
export function standingOf(state: FeedState, now: ClockReading): Standing | undefined {
  const { holder, place, answers, grantors, fault } = state
  const { lease } = holder
  if (place === undefined || lease === undefined || fault !== undefined || remainingMs(holder, now) <= 0)
    return undefined
  const answer = answers.find(({ granted }) => granted.id === lease.grant.id)
  if (answer === undefined) return undefined
  const { granted, received: at } = answer
  for (const [node, { boot, region }] of grantors) {
    if (boot !== granted.boot) continue
    const agedMs = elapsedMs(lease.sent, now)
    // Answered at some moment after it was asked for and before it came.
    const latestMs = granted.latestMs + agedMs * (1 + DRIFT)
    const earliestMs = granted.earliestMs + Math.max(0, now.monotonicMs - at.monotonicMs) * (1 - DRIFT)
    return { node, region, place, txid: granted.txid, ageMs: granted.ageMs + agedMs, earliestMs, latestMs }
  }
  return undefined
}

/** Clocks that keep to the assumed error of their rates drift apart by less than this share. */
const DRIFT = 0.01
const ANSWERS_MAX = 256

function connected(
  state: FeedState,
  { peer, boot, region }: { readonly peer: string; readonly boot: string; readonly region: string },
  now: ClockReading,
): FeedStep {
  const before = state.grantors.get(peer)
  const grantors = new Map(state.grantors).set(peer, { boot, region })
  const holder = stepHolder(state.holder, { kind: 'connected', grantor: boot }, now)
  const next = withHolder({ ...state, grantors }, holder, now)
  const restarted = before !== undefined && before.boot !== boot
  return { state: next, effects: restarted ? [{ kind: 'drop all', why: 'replica restarted' }] : [] }
}

function received(state: FeedState, message: ToWorker, now: ClockReading): FeedStep {
  if (message.t === 'begin') return began(state, message, now)
  if (message.t === 'revoked') return revoked(state, message, now)
  const answers = [...state.answers, { granted: message, received: now }].slice(-ANSWERS_MAX)
  const event = { kind: 'granted', grant: message, applied: appliedOf(state.place) } as const
  const next = withHolder({ ...state, answers }, stepHolder(state.holder, event, now), now)
  return { state: { ...next, live: next.live || remainingMs(next.holder, now) > 0 }, effects: [] }
}

function began(state: FeedState, { epoch, timeline, seq }: FeedBegin, now: ClockReading): FeedStep {
  const { place, minimum } = state
  if (epoch < minimum.epoch) return leave(state, `this replica is in epoch ${epoch}, behind ${minimum.epoch}`)
  if (place?.epoch === epoch) {
    if (place.timeline !== timeline) return leave(state, 'this replica is in another history of the same epoch')
    if (seq < place.seq) return leave(state, `this replica has ${seq} revocations, behind ${place.seq}`)
    // What the replica before was told, this one was not.
    if (seq === place.seq) return { state, effects: [acknowledge(state)] }
  }
  const next = moved(state, { epoch, timeline, seq }, now)
  // Without a place there is nothing to drop.
  if (place === undefined) return { state: next, effects: [acknowledge(next)] }
  const why = place.epoch === epoch ? 'gap' : 'new epoch'
  return { state: next, effects: [{ kind: 'drop all', why }, acknowledge(next)] }
}

function revoked(state: FeedState, stretch: Stretch, now: ClockReading): FeedStep {
  const { place } = state
  if (place === undefined) return leave(state, 'revocations came before their beginning')
  if (gapAfter(place.seq, stretch) !== undefined) {
    const effects = [
      { kind: 'drop all', why: 'gap' },
      { kind: 'leave', why: 'a revocation is missing' },
    ] as const
    return { state: { ...state, place: undefined }, effects }
  }
  const next = moved(state, { ...place, seq: stretch.through }, now)
  return { state: next, effects: [{ kind: 'drop', rows: stretch.rows }, acknowledge(next)] }
}

/** A later epoch than the cache's has been seen: what is in it is of the past. */
function answered(state: FeedState, mark: Mark): FeedStep {
  const next = { ...state, minimum: laterMark(state.minimum, mark) }
  const outdated = state.place !== undefined && mark.epoch > state.place.epoch
  return { state: next, effects: outdated ? [{ kind: 'drop all', why: 'new epoch' }] : [] }
}

function look(state: FeedState, now: ClockReading): FeedStep {
  if (!state.live || remainingMs(state.holder, now) > 0) return { state, effects: [] }
  return { state: { ...state, live: false }, effects: [{ kind: 'drop all', why: 'lease ended' }] }
}

/** The shell has carried out the effects before anything else happens, so this may be acknowledged at once. */
function moved(state: FeedState, place: Place, now: ClockReading): FeedState {
  const holder = stepHolder(state.holder, { kind: 'applied', applied: appliedOf(place) }, now)
  const { epoch, seq } = place
  return withHolder({ ...state, place, minimum: laterMark(state.minimum, { epoch, seq }) }, holder, now)
}

function withHolder(state: FeedState, holder: HolderState, now: ClockReading): FeedState {
  const leaseId = holder.lease?.grant.id ?? 0
  const answers = state.answers.filter(({ granted }) => granted.id >= leaseId)
  return { ...state, holder, answers, live: state.live || remainingMs(holder, now) > 0 }
}

function appliedOf(place: Place | undefined): Applied {
  return { timeline: place?.timeline, seq: place?.seq ?? 0, pages: undefined }
}

function acknowledge({ place }: FeedState): FeedEffect {
  return { kind: 'send', message: { t: 'ack', epoch: place?.epoch ?? 0, seq: place?.seq ?? 0 } }
}

function leave(state: FeedState, why: string): FeedStep {
  return { state, effects: [{ kind: 'leave', why }] }
}
