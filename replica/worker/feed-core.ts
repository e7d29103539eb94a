/**
 * The pure core of a worker's cache. It decides which history the cache belongs to, up to which revocation the cache is
 * complete, under which lease it may answer, and which entries must be dropped. Its invariants:
 *
 * 1. Without a lease the cache answers nothing. When the lease ends, everything is dropped.
 * 2. After a gap, another epoch, or a restart of the replica, everything is dropped.
 * 3. The minimum is the newest state that was used. An older state is not used, whichever replica it comes from.
 * 4. The minimum is lowered if a replica below it holds a lease that began after any replica last reached the minimum. Such a
 *    minimum was never a real state. Within an epoch, the primary grants a lease only to a replica that has reached the
 *    primary's own position. Across epochs, the later one is settled once its primary has acknowledged a revocation, so no
 *    replica has a lease of the earlier one.
 */
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import { elapsedMs } from '../../shared/freshness/clock-reading.ts'
import { type Applied, type HolderState, remainingMs, startHolder, stepHolder } from '../../shared/freshness/holder.ts'
import { compareMarks, MARK_NONE, type Mark } from '../../shared/freshness/mark.ts'
import { CLOCK_RATE_ERROR_MAX } from '../../shared/limits.ts'
import type { FeedBegin, FeedGranted, FromWorker, ToWorker } from '../../shared/protocol/feed.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { gapAfter, type Stretch } from '../../shared/protocol/stretch.ts'

/** The history that the cache belongs to, and the last revocation of it that is applied here. */
export interface FeedPoint extends Mark {
  readonly timeline: string
}

/** The boot and region of a replica at its last connection. */
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
  /** The newest state used so far. No older state is used. */
  readonly minimum: Mark
  /** `from` is the replica that reported the minimum; `at` is when any replica last reached it. Undefined without a minimum. */
  readonly heard: { readonly from: string; readonly at: ClockReading } | undefined
  /** PeerId of the connected replica; undefined while there is none. */
  readonly peer: string | undefined
  /** Set while the replica is behind the minimum, or in another history. It is followed only after a lease proves it right. */
  readonly doubted: { readonly place: FeedPoint; readonly why: string } | undefined
  /** Replicas by PeerId. */
  readonly grantors: ReadonlyMap<string, Grantor>
  /** Answers to pings, oldest first. The first one is that of the present lease. */
  readonly answers: readonly GrantAnswer[]
  /** True from the grant of a lease until its end was noticed. */
  readonly live: boolean
  /**
   * Set if the worker must not cache anything, because it met a revocation of an unknown kind. It ends with the history that
   * the revocation is in, or once a lease proves that this number was never reached.
   */
  readonly fault: { readonly message: string; readonly at: FeedPoint } | undefined
}

export type FeedEvent =
  | { readonly kind: 'connected'; readonly peer: string; readonly boot: string; readonly region: string }
  | { readonly kind: 'disconnected' }
  /** A ping is due. Its number is `holder.nextId` before this step. */
  | { readonly kind: 'pinged' }
  | { readonly kind: 'received'; readonly message: ToWorker }
  /** A replica's verdict is about to be used. */
  | { readonly kind: 'answered'; readonly mark: Mark; readonly peer: string }
  /** A replica has judged by this state under a lease. `ageMs` is the age of the state, `asked` the time of the request. */
  | { readonly kind: 'stated'; readonly mark: Mark; readonly ageMs: number; readonly asked: ClockReading }
  /** A revocation is of a kind that this version does not know, so the worker cannot decide which entries it denies. */
  | { readonly kind: 'not understood'; readonly message: string; readonly seq: number }
  | { readonly kind: 'time passed' }

export type DropReason =
  | 'lease ended'
  | 'gap'
  | 'new epoch'
  | 'replica restarted'
  | 'revocation not understood'
  | 'minimum taken back'

export type FeedEffect =
  | { readonly kind: 'drop all'; readonly why: DropReason }
  /** Drop the entries that these revocations deny. */
  | { readonly kind: 'drop'; readonly rows: readonly RevocationRow[] }
  | { readonly kind: 'send'; readonly message: FromWorker }
  /** Disconnect from this replica, and try another one, or this one later. */
  | { readonly kind: 'leave'; readonly why: string }
  /** The replica `from` reported a state that never existed, so the minimum is lowered to `reached`. */
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

/** One step. If the lease has ended, its entries are dropped first, before the event can begin another lease. */
export function stepFeed(before: FeedState, event: FeedEvent, now: ClockReading): FeedStep {
  const noticed = noticeLeaseEnd(before, now)
  const { state, effects } = handle(noticed.state, event, now)
  return { state, effects: [...noticed.effects, ...effects] }
}

function handle(state: FeedState, event: FeedEvent, now: ClockReading): FeedStep {
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
    case 'not understood':
      return {
        state: { ...state, fault: { message: event.message, at: { ...(state.place ?? NOWHERE), seq: event.seq } } },
        effects: [{ kind: 'drop all', why: 'revocation not understood' }],
      }
    case 'time passed':
      return { state, effects: [] }
  }
}

/** The basis of a verdict from the cache. */
export interface CacheBasis {
  /** PeerId of the replica that granted the lease. */
  readonly node: string
  readonly region: string
  readonly place: FeedPoint
  readonly txid: number
  /** Age of the state, including its age at the replica. */
  readonly ageMs: number
  readonly earliestMs: number
  readonly latestMs: number
}

/** Undefined while the cache must not answer. */
export function basisOf(state: FeedState, now: ClockReading): CacheBasis | undefined {
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
    // The replica answered at some time between the ping and its answer, so the earliest and latest times differ.
    const latestMs = granted.latestMs + agedMs * (1 + DRIFT)
    const earliestMs = granted.earliestMs + Math.max(0, now.monotonicMs - at.monotonicMs) * (1 - DRIFT)
    return { node, region, place, txid: granted.txid, ageMs: granted.ageMs + agedMs, earliestMs, latestMs }
  }
  return undefined
}

/** Two clocks that keep within the assumed rate error drift apart by less than this share. */
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

/** Handles the answer to a ping. It must be for the history that the replica began with. */
function granted(state: FeedState, message: FeedGranted, now: ClockReading): FeedStep {
  const ping = state.holder.inFlight.find(({ id }) => id === message.id)
  if (ping === undefined) return { state, effects: [] }
  const { place, doubted } = state
  const at = doubted?.place ?? place
  if (at?.epoch !== message.epoch || at.timeline !== message.timeline)
    return leave(state, 'this replica grants a lease of a history that it did not announce')
  const { state: judged, effects } =
    message.leaseMs > 0 && message.seq === at.seq
      ? judgeFeeder(state, { place: at, ageMs: message.ageMs, asked: ping.sent }, now)
      : unchanged(state)
  if (judged.doubted !== undefined) return leave(judged, judged.doubted.why)
  return { state: takeLease(judged, message, now), effects }
}

const NOWHERE: FeedPoint = { ...MARK_NONE, timeline: '' }

const unchanged = (state: FeedState): FeedStep => ({ state, effects: [] })

function takeLease(state: FeedState, message: FeedGranted, now: ClockReading): FeedState {
  const answers = [...state.answers, { granted: message, received: now }].slice(-ANSWERS_MAX)
  const event = { kind: 'granted', grant: message, applied: appliedOf(state.place) } as const
  const next = withHolder({ ...state, answers }, stepHolder(state.holder, event, now), now)
  return { ...next, live: next.live || remainingMs(next.holder, now) > 0 }
}

function began(before: FeedState, { epoch, timeline, seq }: FeedBegin, now: ClockReading): FeedStep {
  const state = { ...before, doubted: undefined }
  const { place } = state
  const why = reasonNotToFollow(state, { epoch, timeline, seq })
  // The first lease of this replica decides whether it is right.
  if (why !== undefined) return { state: { ...state, doubted: { place: { epoch, timeline, seq }, why } }, effects: [] }
  // The cache is up to date. This replica has not received the acknowledgement that the previous one got.
  if (place?.epoch === epoch && seq === place.seq) return { state, effects: [acknowledge(state)] }
  // The fault of another history says nothing of this one. A worker that starts here would not know of it either.
  const fault = state.fault?.at.timeline === timeline ? state.fault : undefined
  const next = moveTo({ ...state, fault }, { epoch, timeline, seq }, now)
  // Without a place the cache is empty.
  if (place === undefined) return { state: next, effects: [acknowledge(next)] }
  const gap = place.epoch === epoch ? 'gap' : 'new epoch'
  return { state: next, effects: [{ kind: 'drop all', why: gap }, acknowledge(next)] }
}

/** The reason why a replica at this position is not followed, or undefined. */
function reasonNotToFollow({ place, minimum }: FeedState, { epoch, timeline, seq }: FeedPoint): string | undefined {
  if (epoch < minimum.epoch) return `this replica is in epoch ${epoch}, behind ${minimum.epoch}`
  if (place?.epoch !== epoch) return undefined
  if (place.timeline !== timeline) return 'this replica is in another history of the same epoch'
  return seq < place.seq ? `this replica has ${seq} revocations, behind ${place.seq}` : undefined
}

function revoked(state: FeedState, stretch: Stretch, now: ClockReading): FeedStep {
  const { place, doubted } = state
  const at = doubted?.place ?? place
  if (at === undefined) return leave(state, 'this replica sent revocations before it announced their history')
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
  const next = moveTo(state, reached, now)
  return { state: next, effects: [{ kind: 'drop', rows: stretch.rows }, acknowledge(next)] }
}

/** If the answer is from a later epoch than the cache, the cache is outdated and dropped. */
function answered(
  state: FeedState,
  { mark, peer }: { readonly mark: Mark; readonly peer: string },
  now: ClockReading,
): FeedStep {
  const next = raiseMinimum(state, mark, peer, now)
  const outdated = state.place !== undefined && mark.epoch > state.place.epoch
  return { state: next, effects: outdated ? [{ kind: 'drop all', why: 'new epoch' }] : [] }
}

/** Raises the minimum to a state that a replica reached, or notes that the minimum was reached again. */
function raiseMinimum(state: FeedState, { epoch, seq }: Mark, peer: string, at: ClockReading): FeedState {
  const order = compareMarks({ epoch, seq }, state.minimum)
  if (order < 0) return state
  const from = order > 0 ? peer : (state.heard?.from ?? peer)
  return { ...state, minimum: { epoch, seq }, heard: { from, at } }
}

/** A state that a replica relied on under a lease, its age, and the time when the replica was asked. */
interface ReliedState {
  readonly place: FeedPoint
  readonly ageMs: number
  readonly asked: ClockReading
}

/** Judges the state of the replica that feeds the cache. It reaches the minimum, or its lease may prove the minimum wrong. */
function judgeFeeder(state: FeedState, { place, ageMs, asked }: ReliedState, now: ClockReading): FeedStep {
  const from = state.peer ?? ''
  const { doubted } = state
  if (doubted === undefined && compareMarks(place, state.minimum) >= 0)
    return unchanged(raiseMinimum(state, place, from, now))
  if (!beganAfter(state, ageMs, asked)) return unchanged(state)
  return lowerMinimum(state, place, place, now)
}

/** Judges the state in a replica's answer to a verification. Even an `unavailable` verdict shows the state it is based on. */
function stated(state: FeedState, { mark, ageMs, asked }: Stated, now: ClockReading): FeedStep {
  if (compareMarks(mark, state.minimum) >= 0 || !beganAfter(state, ageMs, asked)) return unchanged(state)
  // The cache keeps its place, unless the place is ahead of the state that the replica has reached.
  const { place } = state
  const kept = place !== undefined && compareMarks(place, mark) <= 0 ? place : undefined
  return lowerMinimum(state, mark, kept, now)
}

type Stated = Extract<FeedEvent, { kind: 'stated' }>

/**
 * True if a lease began after any replica last reached the minimum. An error in the rate of a clock, or a stop of this
 * machine, makes the lease count as older, which is the safe side.
 */
function beganAfter({ heard }: FeedState, ageMs: number, asked: ClockReading): boolean {
  if (heard === undefined) return false
  const sinceMs = asked.monotonicMs - heard.at.monotonicMs
  return sinceMs * (1 - CLOCK_RATE_ERROR_MAX) > ageMs * (1 + CLOCK_RATE_ERROR_MAX)
}

/** Lowers the minimum to the state that was reached, and forgets everything that depended on the old one. */
function lowerMinimum(
  state: FeedState,
  { epoch, seq }: Mark,
  place: FeedPoint | undefined,
  now: ClockReading,
): FeedStep {
  const { minimum, heard, peer, fault } = state
  const reached = { epoch, seq }
  const wasReached = fault !== undefined && compareMarks(fault.at, reached) <= 0
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
    fault: wasReached ? fault : undefined,
  }
  const effects: FeedEffect[] = [
    { kind: 'drop all', why: 'minimum taken back' },
    { kind: 'alarm', from: heard?.from ?? '', minimum, reached },
  ]
  return { state: next, effects: place === undefined ? effects : [...effects, acknowledge(next)] }
}

function noticeLeaseEnd(state: FeedState, now: ClockReading): FeedStep {
  if (!state.live || remainingMs(state.holder, now) > 0) return { state, effects: [] }
  return { state: { ...state, live: false }, effects: [{ kind: 'drop all', why: 'lease ended' }] }
}

/** Moves the cache to a new place. The shell carries out the effects before anything else, so acknowledging at once is safe. */
function moveTo(state: FeedState, place: FeedPoint, now: ClockReading): FeedState {
  const holder = stepHolder(state.holder, { kind: 'applied', applied: appliedOf(place) }, now)
  return withHolder({ ...raiseMinimum(state, place, state.peer ?? '', now), place }, holder, now)
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
