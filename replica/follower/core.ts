/**
 * Pure core of the follower: where this copy stands, what the primary just said, and therefore what to do. Position is
 * (epoch, txid, checksum) and is checked on every segment. Behind or unusable leads to a snapshot; ahead or forked inside
 * one epoch leads to a refusal and an alarm (S10): this copy then stays as it is, for people to look at.
 */
import { checksumText, type Checksum, type Epoch, type Timeline, type Txid } from '../../shared/ids.ts'
import { positionText, type Position } from '../../shared/position.ts'

export interface AppliedState {
  readonly position: Position
  readonly timeline: Timeline
}

export interface FollowerState {
  /** Undefined without a usable database. */
  readonly standing: AppliedState | undefined
  /** `resyncing`: a snapshot was asked for, and segments that are still on their way mean nothing. */
  readonly phase: 'idle' | 'following' | 'loading' | 'resyncing'
}

/** The fields of a segment's header that decide, already decoded and its file checksum verified. */
export interface ArrivedSegment {
  readonly epoch: Epoch | undefined
  readonly minTxid: Txid
  readonly maxTxid: Txid
  readonly preApply: Checksum | undefined
  readonly postApply: Checksum | undefined
}

export type FollowerEvent =
  | { readonly kind: 'welcome'; readonly primary: AppliedState }
  | { readonly kind: 'resume' }
  | { readonly kind: 'snapshot-begins'; readonly primary: AppliedState }
  | { readonly kind: 'snapshot-arrived'; readonly header: ArrivedSegment; readonly primary: AppliedState }
  | { readonly kind: 'segment-arrived'; readonly header: ArrivedSegment }
  /** A segment that does not hold what it says: it came over an authenticated channel, so it will be the same again. */
  | { readonly kind: 'segment-damaged' }
  | { readonly kind: 'position-stated'; readonly primary: AppliedState }
  | { readonly kind: 'stored'; readonly standing: AppliedState }
  | { readonly kind: 'disconnected' }
  /** The copy turned out to be damaged: it no longer counts as a position. */
  | { readonly kind: 'damaged' }

export type Effect =
  | { readonly kind: 'apply'; readonly next: AppliedState }
  | { readonly kind: 'install'; readonly next: AppliedState }
  /** Drop what came and ask for a snapshot. */
  | { readonly kind: 'resync'; readonly reason: string }
  /** Refuse this primary, alarm, keep what we have. */
  | { readonly kind: 'diverged'; readonly message: string }
  /** The peer breaks the protocol or the bytes are damaged: end the connection, come again. */
  | { readonly kind: 'violation'; readonly message: string }

export interface FollowerStep {
  readonly state: FollowerState
  readonly effect?: Effect
}

export function startFollower(standing: AppliedState | undefined): FollowerState {
  return { standing, phase: 'idle' }
}

export function stepFollower(state: FollowerState, event: FollowerEvent): FollowerStep {
  switch (event.kind) {
    case 'welcome':
      return judge(state, event.primary)
    case 'position-stated':
      return isPast(state, event.primary) ? { state } : judge(state, event.primary)
    case 'resume':
      return state.standing === undefined
        ? violation(state, 'resume without a database to resume from')
        : { state: { ...state, phase: 'following' } }
    case 'snapshot-begins':
      return { ...judge({ ...state, phase: 'loading' }, event.primary) }
    case 'snapshot-arrived':
      return installSnapshot(state, event.header, event.primary)
    case 'segment-arrived':
      return applySegment(state, event.header)
    case 'segment-damaged':
      return passesOver(state) ? { state } : resync(state, 'a segment is damaged at the primary')
    case 'stored':
      return { state: { standing: event.standing, phase: 'following' } }
    case 'disconnected':
      return { state: { ...state, phase: 'idle' } }
    case 'damaged':
      return { state: { standing: undefined, phase: 'idle' } }
  }
}

/** A statement that segments have overtaken on the way is about the past, and says nothing against us. */
function isPast({ standing }: FollowerState, { position }: AppliedState): boolean {
  if (standing === undefined) return true
  return position.epoch === standing.position.epoch && position.txid < standing.position.txid
}

/** Compares a position of the primary with ours: only a primary that is at least where we are may be followed. */
function judge(state: FollowerState, primary: AppliedState): FollowerStep {
  const ours = state.standing
  if (ours === undefined) return { state }
  const message = contradiction(ours, primary)
  return message === undefined ? { state } : { state, effect: { kind: 'diverged', message } }
}

function contradiction(ours: AppliedState, primary: AppliedState): string | undefined {
  const here = ours.position
  const there = primary.position
  if (there.epoch > here.epoch) return undefined
  if (there.epoch < here.epoch) return `the primary leads epoch ${there.epoch}, this replica has seen ${here.epoch}`
  if (primary.timeline !== ours.timeline)
    return `the primary is on timeline ${primary.timeline}, not on ${ours.timeline}`
  if (there.txid < here.txid)
    return `the primary is at ${positionText(there)}, behind this replica at ${positionText(here)}`
  if (there.txid > here.txid || there.checksum === here.checksum) return undefined
  return `at transaction ${here.txid} the primary has other content (${checksumText(there.checksum)})`
}

function passesOver({ phase }: FollowerState): boolean {
  return phase === 'resyncing'
}

function applySegment(state: FollowerState, header: ArrivedSegment): FollowerStep {
  if (passesOver(state)) return { state }
  const { standing, phase } = state
  if (standing === undefined || phase !== 'following') return violation(state, 'a segment before resume or a snapshot')
  const { position } = standing
  const { epoch, minTxid, maxTxid, preApply, postApply } = header
  if (minTxid !== maxTxid || postApply === undefined || epoch === undefined) {
    return violation(state, 'a segment of another kind than a primary ships')
  }
  if (minTxid <= position.txid) return violation(state, `segment ${minTxid} again, this replica is at ${position.txid}`)
  if (epoch !== position.epoch)
    return resync(state, `a segment of epoch ${epoch}, this replica is in ${position.epoch}`)
  if (minTxid !== position.txid + 1) return resync(state, `segment ${minTxid} does not follow ${position.txid}`)
  if (preApply !== position.checksum) {
    return {
      state,
      effect: { kind: 'diverged', message: `segment ${minTxid} was made on other content than this replica has` },
    }
  }
  const next = { ...standing, position: { epoch, txid: maxTxid, checksum: postApply } }
  return { state, effect: { kind: 'apply', next } }
}

function installSnapshot(state: FollowerState, header: ArrivedSegment, primary: AppliedState): FollowerStep {
  if (state.phase !== 'loading') return violation(state, 'a snapshot that was not announced')
  const { position } = primary
  const announced =
    header.epoch === position.epoch && header.maxTxid === position.txid && header.postApply === position.checksum
  if (!announced) return violation(state, 'another snapshot than it announced')
  return { state, effect: { kind: 'install', next: primary } }
}

function resync(state: FollowerState, reason: string): FollowerStep {
  return { state: { ...state, phase: 'resyncing' }, effect: { kind: 'resync', reason } }
}

function violation(state: FollowerState, what: string): FollowerStep {
  return { state, effect: { kind: 'violation', message: `the primary sent ${what}` } }
}
