/**
 * The pure core of the follower. It decides what to do, from the state of the copy and a message of the primary. It checks the
 * position (epoch, txid, checksum) on every segment. A copy that is behind or unusable gets a snapshot. If the copy is ahead of
 * the primary, or differs from it in the same epoch, the replica refuses the primary and raises an alarm (S10). The copy is
 * then not changed, so that an operator can examine it.
 */
import { checksumText, type Checksum, type Epoch, type Timeline, type Txid } from '../../shared/ids.ts'
import { positionText, type Position } from '../../shared/position.ts'

/** The position of the applied pages, and the timeline of their history. */
export interface AppliedState {
  readonly position: Position
  readonly timeline: Timeline
}

/** The state of the follower on one connection; only `applied` outlives it. */
export interface FollowerState {
  /** Undefined without a usable database. */
  readonly applied: AppliedState | undefined
  /** `resyncing`: a snapshot was requested, and segments that are still in transit are ignored. */
  readonly phase: 'idle' | 'following' | 'loading' | 'resyncing'
}

/** The header fields that the core needs, from a segment whose file checksum was verified. */
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
  /** A segment that is damaged. The channel is authenticated, so the primary would send the same bytes again. */
  | { readonly kind: 'segment-damaged' }
  | { readonly kind: 'position-stated'; readonly primary: AppliedState }
  | { readonly kind: 'stored'; readonly applied: AppliedState }
  | { readonly kind: 'disconnected' }
  /** The copy was found damaged, so it has no position any more. */
  | { readonly kind: 'damaged' }

export type Effect =
  | { readonly kind: 'apply'; readonly next: AppliedState }
  | { readonly kind: 'install'; readonly next: AppliedState }
  /** Drop the segment and request a snapshot. */
  | { readonly kind: 'resync'; readonly reason: string }
  /** Refuse this primary, raise an alarm, and leave the copy as it is. */
  | { readonly kind: 'diverged'; readonly message: string }
  /** The peer violates the protocol: end the connection and reconnect. */
  | { readonly kind: 'violation'; readonly message: string }

export interface FollowerStep {
  readonly state: FollowerState
  readonly effect?: Effect
}

export function startFollower(applied: AppliedState | undefined): FollowerState {
  return { applied, phase: 'idle' }
}

/** One step: the new state, and at most one effect for the shell to carry out. */
export function stepFollower(state: FollowerState, event: FollowerEvent): FollowerStep {
  switch (event.kind) {
    case 'welcome':
      return comparePrimary(state, event.primary)
    case 'position-stated':
      return isOlderThanCopy(state, event.primary) ? { state } : comparePrimary(state, event.primary)
    case 'resume':
      return state.applied === undefined
        ? violation(state, 'resume without a database to resume from')
        : { state: { ...state, phase: 'following' } }
    case 'snapshot-begins':
      return { ...comparePrimary({ ...state, phase: 'loading' }, event.primary) }
    case 'snapshot-arrived':
      return installSnapshot(state, event.header, event.primary)
    case 'segment-arrived':
      return applySegment(state, event.header)
    case 'segment-damaged':
      return ignoresSegments(state) ? { state } : resync(state, 'a segment is damaged at the primary')
    case 'stored':
      return { state: { applied: event.applied, phase: 'following' } }
    case 'disconnected':
      return { state: { ...state, phase: 'idle' } }
    case 'damaged':
      return { state: { applied: undefined, phase: 'idle' } }
  }
}

/** True if the stated position is older than this copy, because segments arrived before it. It then contradicts nothing. */
function isOlderThanCopy({ applied }: FollowerState, { position }: AppliedState): boolean {
  if (applied === undefined) return true
  return position.epoch === applied.position.epoch && position.txid < applied.position.txid
}

/** Compares the primary's position with ours. Only a primary that is at our position or beyond it may be followed. */
function comparePrimary(state: FollowerState, primary: AppliedState): FollowerStep {
  const ours = state.applied
  if (ours === undefined) return { state }
  const message = contradiction(ours, primary)
  return message === undefined ? { state } : { state, effect: { kind: 'diverged', message } }
}

function contradiction(ours: AppliedState, primary: AppliedState): string | undefined {
  const here = ours.position
  const there = primary.position
  if (there.epoch > here.epoch) return undefined
  if (there.epoch < here.epoch)
    return `the primary leads epoch ${there.epoch}; this replica has seen epoch ${here.epoch}`
  if (primary.timeline !== ours.timeline)
    return `the primary is on timeline ${primary.timeline}, not on ${ours.timeline}`
  if (there.txid < here.txid)
    return `the primary is at ${positionText(there)}, behind this replica at ${positionText(here)}`
  if (there.txid > here.txid || there.checksum === here.checksum) return undefined
  return `at transaction ${here.txid} the primary has other content (${checksumText(there.checksum)})`
}

function ignoresSegments({ phase }: FollowerState): boolean {
  return phase === 'resyncing'
}

function applySegment(state: FollowerState, header: ArrivedSegment): FollowerStep {
  if (ignoresSegments(state)) return { state }
  const { applied, phase } = state
  if (applied === undefined || phase !== 'following') return violation(state, 'a segment before resume or a snapshot')
  const { position } = applied
  const { epoch, minTxid, maxTxid, preApply, postApply } = header
  if (minTxid !== maxTxid || postApply === undefined || epoch === undefined) {
    return violation(state, 'a segment that is not exactly one transaction')
  }
  if (minTxid <= position.txid) return violation(state, `segment ${minTxid} again; this replica is at ${position.txid}`)
  if (epoch !== position.epoch)
    return resync(state, `a segment is of epoch ${epoch}; this replica is in epoch ${position.epoch}`)
  if (minTxid !== position.txid + 1) return resync(state, `segment ${minTxid} does not follow ${position.txid}`)
  if (preApply !== position.checksum) {
    return {
      state,
      effect: { kind: 'diverged', message: `segment ${minTxid} changes other content than this replica has` },
    }
  }
  const next = { ...applied, position: { epoch, txid: maxTxid, checksum: postApply } }
  return { state, effect: { kind: 'apply', next } }
}

function installSnapshot(state: FollowerState, header: ArrivedSegment, primary: AppliedState): FollowerStep {
  if (state.phase !== 'loading') return violation(state, 'a snapshot that was not announced')
  const { position } = primary
  const announced =
    header.epoch === position.epoch && header.maxTxid === position.txid && header.postApply === position.checksum
  if (!announced) return violation(state, 'a snapshot that differs from the announced one')
  return { state, effect: { kind: 'install', next: primary } }
}

function resync(state: FollowerState, reason: string): FollowerStep {
  return { state: { ...state, phase: 'resyncing' }, effect: { kind: 'resync', reason } }
}

function violation(state: FollowerState, what: string): FollowerStep {
  return { state, effect: { kind: 'violation', message: `the primary sent ${what}` } }
}
