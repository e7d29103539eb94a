/**
 * Pure: what a primary makes of where a replica says it stands. The rule (S10): behind is served, fenced or proven ahead
 * stops this primary, and a claim that is neither in our history nor proven is refused: it changes nothing here.
 */
import type { ProvenPosition } from '../../shared/protocol/signed-position.ts'
import { positionText, type Position } from '../../shared/position.ts'
import type { Checksum, Timeline, Txid } from '../../shared/ids.ts'

/** This primary's history, as far as its log reaches back. */
export interface PrimaryHistory {
  readonly position: Position
  readonly timeline: Timeline
  /** Checksum after that transaction; undefined where the log does not reach back to. */
  readonly checksumAt: (txid: Txid) => Checksum | undefined
  /** Number of the last revocation. */
  readonly revocationSeq: number
}

/** Revocations travel ahead of pages, so a replica may know of more than its position says. */
export interface RevocationsClaim {
  readonly timeline: Timeline
  readonly seq: number
}

export interface ReplicaClaim {
  readonly position: Position | undefined
  readonly timeline: Timeline | undefined
  /** Carries this authority's signature: checked before this is called. */
  readonly proven: ProvenPosition | undefined
  readonly revocations: RevocationsClaim | undefined
}

export type Assessment =
  /** Its position is a point of our history: the segments after it follow. */
  | { readonly kind: 'resume'; readonly after: Txid }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'refuse'; readonly message: string }
  /** Proof that this authority was further, or elsewhere: this primary's disk is old. It must stop. */
  | { readonly kind: 'stop'; readonly message: string }

export function assess(history: PrimaryHistory, claim: ReplicaClaim): Assessment {
  const stop = claim.proven === undefined ? undefined : contradicts(history, claim.proven)
  if (stop !== undefined) return { kind: 'stop', message: stop }
  const missing = revocationsMissing(history, claim.revocations)
  if (missing !== undefined) return { kind: 'refuse', message: missing }
  const { position, timeline } = claim
  if (position === undefined || timeline === undefined) return { kind: 'snapshot' }
  if (position.epoch < history.position.epoch) return { kind: 'snapshot' }
  const contradiction = contradicts(history, { position, timeline })
  if (contradiction !== undefined) return { kind: 'refuse', message: contradiction }
  const known = history.checksumAt(position.txid) !== undefined
  return known ? { kind: 'resume', after: position.txid } : { kind: 'snapshot' }
}

/**
 * A revocation is sent once it is committed, so nobody can have more of this timeline than we do, unless our disk is old.
 * The same numbers would mean other tokens from here on, and take the place of what was acknowledged.
 */
export function revocationsMissing(
  { timeline, revocationSeq }: Pick<PrimaryHistory, 'timeline' | 'revocationSeq'>,
  claim: RevocationsClaim | undefined,
): string | undefined {
  if (claim === undefined || claim.timeline !== timeline || claim.seq <= revocationSeq) return undefined
  return `it has revocation ${claim.seq}, this primary only ${revocationSeq}`
}

/** Why the two cannot be one history, if they cannot. */
function contradicts(history: PrimaryHistory, theirs: ProvenPosition): string | undefined {
  const { position, timeline } = theirs
  const ours = history.position
  if (position.epoch < ours.epoch) return undefined
  if (position.epoch > ours.epoch) return `it has seen epoch ${position.epoch}, this primary leads epoch ${ours.epoch}`
  if (timeline !== history.timeline)
    return `it follows timeline ${timeline} of epoch ${ours.epoch}, not ${history.timeline}`
  if (position.txid > ours.txid) return `it is at ${positionText(position)}, ahead of ${positionText(ours)}`
  const checksum = history.checksumAt(position.txid)
  if (checksum === undefined || checksum === position.checksum) return undefined
  return `at transaction ${position.txid} it has other content than this primary had`
}
