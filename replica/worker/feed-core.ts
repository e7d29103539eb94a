/**
 * Pure core of a worker's cache: in which history it stands, how far, by which lease, and what of it must go.
 *
 * - Nothing is answered from the cache without a lease; when it ends, everything goes.
 * - A gap, another epoch, another process of the replica: everything goes.
 * - No state older than one that was used before is used again, whichever replica it comes from: that is the minimum. It is
 *   taken back when a replica is behind it by a lease that began after anybody last reached it. The primary gives no lease
 *   without its own position, so inside an epoch the minimum was never true; a later epoch whose primary had acknowledged a
 *   revocation was settled, and then no replica has a lease of an earlier one.
 */
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import { elapsedMs } from '../../shared/freshness/clock-reading.ts'
import { type Applied, type HolderState, remainingMs, startHolder, stepHolder } from '../../shared/freshness/holder.ts'
import { compareMarks, MARK_NONE, type Mark } from '../../shared/freshness/mark.ts'
import { CLOCK_RATE_ERROR_MAX } from '../../shared/limits.ts'
import type { FeedBegin, FeedGranted, FromWorker, ToWorker } from '../../shared/protocol/feed.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { gapAfter, type Stretch } from '../../shared/protocol/stretch.ts'

/** The history that the cache is of, and the last revocation of it that is applied here. */
export interface FeedPoint extends Mark {
  readonly timeline: string
}

/** A replica as it was last connected to. */
interface Grantor {
  readonly boot: string
  readonly region: string
}

interface GrantAnswer {
  readonly granted: FeedGranted
  readonly received: ClockReading
}

export interface FeedState {
  readonly holder: HolderState
  readonly place: FeedPoint | undefined
  /** Nothing below it is used. */
  readonly minimum: Mark
  /** Who named the minimum, by PeerId, and when anybody last reached it; undefined without one. */
  readonly heard: { readonly from: string; readonly at: ClockReading } | undefined
  /** PeerId of the replica at the other end; undefined while there is none. */
  readonly peer: string | undefined
  /** It begins behind the minimum, or in another history: it is followed once its lease shows that nothing else is true. */
  readonly doubted: { readonly place: FeedPoint; readonly why: string } | undefined
  /** By PeerId. */
  readonly grantors: ReadonlyMap<string, Grantor>
  /** From that of the lease on, oldest first. */
  readonly answers: readonly GrantAnswer[]
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
  | { readonly kind: 'answered'; readonly mark: Mark; readonly peer: string }
  /** A replica has judged by a state, under a lease, that was this old; it was asked then. */
  | { readonly kind: 'stated'; readonly mark: Mark; readonly ageMs: number; readonly asked: ClockReading }
  /** A revocation of a kind that this version does not know: it must not guess what that takes away. */
  | { readonly kind: 'puzzled'; readonly message: string }
  | { readonly kind: 'looked' }

export type DropReason =
  | 'lease ended'
  | 'gap'
  | 'new epoch'
  | 'replica restarted'
  | 'revocation not understood'
  | 'minimum taken back'

export type FeedEffect =
  | { readonly kind: 'drop all'; readonly why: DropReason }
  /** What these rows hit goes. */
  | { readonly kind: 'drop'; readonly rows: readonly RevocationRow[] }
  | { readonly kind: 'send'; readonly message: FromWorker }
  /** This replica is not for us now: another one, or the same later. */
  | { readonly kind: 'leave'; readonly why: string }
  /** Somebody named a state that was never there: its PeerId, and what it said. */
  | { readonly kind: 'alarm'; readonly from: string; readonly minimum: Mark; readonly reached: Mark }

export interface FeedStep {
  readonly state: FeedState
  readonly effects: readonly FeedEffect[]
}

export function startFeed(): FeedState {
  return {
    holder: startHolder({ needsPages: false }),
    place: undefined,
    minimum: MARK_NONE,
    heard: undefined,
    peer: undefined,
    doubted: undefined,
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
    case 'disconnected': {
      const alone = { ...state, peer: undefined, doubted: undefined }
      return { state: withHolder(alone, stepHolder(state.holder, event, now), now), effects: [] }
    }
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
      return answered(state, event, now)
    case 'stated':
      return stated(state, event, now)
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
export interface CacheBasis {
  /** PeerId of the replica whose lease this is. */
  readonly node: string
  readonly region: string
  readonly place: FeedPoint
  readonly txid: number
  /** Of the state, the replica's own age included. */
  readonly ageMs: number
  readonly earliestMs: number
  readonly latestMs: number
}

/** Undefined while nothing may be answered from the cache. */
export function standingOf(state: FeedState, now: ClockReading): CacheBasis | undefined {
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
  const next = withHolder({ ...state, grantors, peer, doubted: undefined }, holder, now)
  const restarted = before !== undefined && before.boot !== boot
  return { state: next, effects: restarted ? [{ kind: 'drop all', why: 'replica restarted' }] : [] }
}

function received(state: FeedState, message: ToWorker, now: ClockReading): FeedStep {
  if (message.t === 'begin') return began(state, message, now)
  if (message.t === 'revoked') return revoked(state, message, now)
  return granted(state, message, now)
}

/** The replica's answer to a ping speaks of what it began with, or of nothing that is known here. */
function granted(state: FeedState, message: FeedGranted, now: ClockReading): FeedStep {
  const ping = state.holder.inFlight.find(({ id }) => id === message.id)
  if (ping === undefined) return { state, effects: [] }
  const { place, doubted } = state
  const at = doubted?.place ?? place
  if (at?.epoch !== message.epoch || at.timeline !== message.timeline)
    return leave(state, 'this replica grants leases of another history than it began with')
  const { state: judged, effects } =
    message.leaseMs > 0 && message.seq === at.seq
      ? believed(state, { place: at, ageMs: message.ageMs, asked: ping.sent }, now)
      : NOTHING(state)
  if (judged.doubted !== undefined) return leave(judged, judged.doubted.why)
  const step = hold(judged, message, now)
  return { state: step, effects }
}

const NOTHING = (state: FeedState): FeedStep => ({ state, effects: [] })

function hold(state: FeedState, message: FeedGranted, now: ClockReading): FeedState {
  const answers = [...state.answers, { granted: message, received: now }].slice(-ANSWERS_MAX)
  const event = { kind: 'granted', grant: message, applied: appliedOf(state.place) } as const
  const next = withHolder({ ...state, answers }, stepHolder(state.holder, event, now), now)
  return { ...next, live: next.live || remainingMs(next.holder, now) > 0 }
}

function began(before: FeedState, { epoch, timeline, seq }: FeedBegin, now: ClockReading): FeedStep {
  const state = { ...before, doubted: undefined }
  const { place } = state
  const why = behind(state, { epoch, timeline, seq })
  // Its first lease decides.
  if (why !== undefined) return { state: { ...state, doubted: { place: { epoch, timeline, seq }, why } }, effects: [] }
  // What the replica before was told, this one was not.
  if (place?.epoch === epoch && seq === place.seq) return { state, effects: [acknowledge(state)] }
  const next = moved(state, { epoch, timeline, seq }, now)
  // Without a place there is nothing to drop.
  if (place === undefined) return { state: next, effects: [acknowledge(next)] }
  const gap = place.epoch === epoch ? 'gap' : 'new epoch'
  return { state: next, effects: [{ kind: 'drop all', why: gap }, acknowledge(next)] }
}

/** Why a replica that stands there is not followed. */
function behind({ place, minimum }: FeedState, { epoch, timeline, seq }: FeedPoint): string | undefined {
  if (epoch < minimum.epoch) return `this replica is in epoch ${epoch}, behind ${minimum.epoch}`
  if (place?.epoch !== epoch) return undefined
  if (place.timeline !== timeline) return 'this replica is in another history of the same epoch'
  return seq < place.seq ? `this replica has ${seq} revocations, behind ${place.seq}` : undefined
}

function revoked(state: FeedState, stretch: Stretch, now: ClockReading): FeedStep {
  const { place, doubted } = state
  const at = doubted?.place ?? place
  if (at === undefined) return leave(state, 'revocations came before their beginning')
  if (gapAfter(at.seq, stretch) !== undefined) {
    if (doubted !== undefined) return leave(state, 'a revocation is missing')
    const effects = [
      { kind: 'drop all', why: 'gap' },
      { kind: 'leave', why: 'a revocation is missing' },
    ] as const
    return { state: { ...state, place: undefined }, effects }
  }
  const reached = { ...at, seq: stretch.through }
  if (doubted !== undefined) return { state: { ...state, doubted: { ...doubted, place: reached } }, effects: [] }
  const next = moved(state, reached, now)
  return { state: next, effects: [{ kind: 'drop', rows: stretch.rows }, acknowledge(next)] }
}

/** A later epoch than the cache's has been seen: what is in it is of the past. */
function answered(
  state: FeedState,
  { mark, peer }: { readonly mark: Mark; readonly peer: string },
  now: ClockReading,
): FeedStep {
  const next = reaching(state, mark, peer, now)
  const outdated = state.place !== undefined && mark.epoch > state.place.epoch
  return { state: next, effects: outdated ? [{ kind: 'drop all', why: 'new epoch' }] : [] }
}

/** What a state that somebody reached makes of the minimum. */
function reaching(state: FeedState, { epoch, seq }: Mark, peer: string, at: ClockReading): FeedState {
  const order = compareMarks({ epoch, seq }, state.minimum)
  if (order < 0) return state
  const from = order > 0 ? peer : (state.heard?.from ?? peer)
  return { ...state, minimum: { epoch, seq }, heard: { from, at } }
}

/** A state that a replica relies on under a lease, how old it was, and when the replica was asked. */
interface Relied {
  readonly place: FeedPoint
  readonly ageMs: number
  readonly asked: ClockReading
}

/** Of the replica that feeds the cache: it reaches the minimum, or its lease may show that the minimum is not true. */
function believed(state: FeedState, { place, ageMs, asked }: Relied, now: ClockReading): FeedStep {
  const from = state.peer ?? ''
  const { doubted } = state
  if (doubted === undefined && compareMarks(place, state.minimum) >= 0)
    return NOTHING(reaching(state, place, from, now))
  if (!beganAfter(state, ageMs, asked)) return NOTHING(state)
  return takenBack(state, place, place, now)
}

/** Of any replica that was asked: it may say nothing of the token, and shows all the same what it relies on. */
function stated(state: FeedState, { mark, ageMs, asked }: Stated, now: ClockReading): FeedStep {
  if (compareMarks(mark, state.minimum) >= 0 || !beganAfter(state, ageMs, asked)) return NOTHING(state)
  // What the cache is of stays, unless it is what is not true.
  const { place } = state
  const kept = place !== undefined && compareMarks(place, mark) <= 0 ? place : undefined
  return takenBack(state, mark, kept, now)
}

type Stated = Extract<FeedEvent, { kind: 'stated' }>

/**
 * Whether a lease began after anybody last reached the minimum. Clocks that run wrong, or stood still here, make it count as
 * having begun earlier.
 */
function beganAfter({ heard }: FeedState, ageMs: number, asked: ClockReading): boolean {
  if (heard === undefined) return false
  const sinceMs = asked.monotonicMs - heard.at.monotonicMs
  return sinceMs * (1 - CLOCK_RATE_ERROR_MAX) > ageMs * (1 + CLOCK_RATE_ERROR_MAX)
}

/** To what is reached, with all that is remembered of what is not. */
function takenBack(state: FeedState, { epoch, seq }: Mark, place: FeedPoint | undefined, now: ClockReading): FeedStep {
  const { minimum, heard, peer } = state
  const reached = { epoch, seq }
  const holder = stepHolder(state.holder, { kind: 'epoch forgotten' }, now)
  const next: FeedState = {
    ...state,
    holder,
    place,
    minimum: reached,
    heard: { from: peer ?? '', at: now },
    doubted: undefined,
    answers: [],
    live: false,
  }
  const effects: FeedEffect[] = [
    { kind: 'drop all', why: 'minimum taken back' },
    { kind: 'alarm', from: heard?.from ?? '', minimum, reached },
  ]
  return { state: next, effects: place === undefined ? effects : [...effects, acknowledge(next)] }
}

function look(state: FeedState, now: ClockReading): FeedStep {
  if (!state.live || remainingMs(state.holder, now) > 0) return { state, effects: [] }
  return { state: { ...state, live: false }, effects: [{ kind: 'drop all', why: 'lease ended' }] }
}

/** The shell has carried out the effects before anything else happens, so this may be acknowledged at once. */
function moved(state: FeedState, place: FeedPoint, now: ClockReading): FeedState {
  const holder = stepHolder(state.holder, { kind: 'applied', applied: appliedOf(place) }, now)
  return withHolder({ ...reaching(state, place, state.peer ?? '', now), place }, holder, now)
}

function withHolder(state: FeedState, holder: HolderState, now: ClockReading): FeedState {
  const leaseId = holder.lease?.grant.id ?? 0
  const answers = state.answers.filter(({ granted }) => granted.id >= leaseId)
  return { ...state, holder, answers, live: state.live || remainingMs(holder, now) > 0 }
}

function appliedOf(place: FeedPoint | undefined): Applied {
  return { timeline: place?.timeline, seq: place?.seq ?? 0, pages: undefined }
}

function acknowledge({ place }: FeedState): FeedEffect {
  return { kind: 'send', message: { t: 'ack', epoch: place?.epoch ?? 0, seq: place?.seq ?? 0 } }
}

function leave(state: FeedState, why: string): FeedStep {
  return { state, effects: [{ kind: 'leave', why }] }
}
