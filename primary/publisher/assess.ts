/**
 * Judges the position that a replica claims against this primary's history (S10). Pure.
 *
 * | the replica's claim | verdict |
 * |---|---|
 * | a point of our history | resume from there, or a snapshot if the log no longer reaches it |
 * | an earlier epoch, or no position | snapshot |
 * | not in our history, with the authority's signature | stop: this primary's disk is old |
 * | not in our history, without a signature | refuse: the claim changes nothing here |
 * | more revocations of our timeline than we have | refuse |
 */
import type { ProvenPosition } from '../../shared/protocol/signed-position.ts'
import { positionText, type Position } from '../../shared/position.ts'
import type { Checksum, Timeline, Txid } from '../../shared/ids.ts'

/** This primary's history, as far as its log reaches back. */
export interface PrimaryHistory {
  readonly position: Position
  readonly timeline: Timeline
  /** Checksum after that transaction; undefined if the log does not reach it. */
  readonly checksumAt: (txid: Txid) => Checksum | undefined
  /** Number of the last revocation. */
  readonly revocationSeq: number
}

/** The newest revocation that a replica has. Revocations are sent ahead of pages, so the replica's position may be older. */
export interface RevocationsClaim {
  readonly timeline: Timeline
  readonly seq: number
}

export interface ReplicaClaim {
  readonly position: Position | undefined
  readonly timeline: Timeline | undefined
  /** A position signed by this authority. The caller has verified the signature. */
  readonly proven: ProvenPosition | undefined
  readonly revocations: RevocationsClaim | undefined
}

export type Assessment =
  /** Its position is a point of our history. Send the segments after it. */
  | { readonly kind: 'resume'; readonly after: Txid }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'refuse'; readonly message: string }
  /**
   * The authority's signature proves that it has another or a longer history, so this primary's disk is old. The primary must
   * stop.
   */
  | { readonly kind: 'stop'; readonly message: string }

export function assess(history: PrimaryHistory, claim: ReplicaClaim): Assessment {
  const stop = claim.proven === undefined ? undefined : contradictionOf(history, claim.proven)
  if (stop !== undefined) return { kind: 'stop', message: stop }
  const missing = revocationsMissing(history, claim.revocations)
  if (missing !== undefined) return { kind: 'refuse', message: missing }
  const { position, timeline } = claim
  if (position === undefined || timeline === undefined) return { kind: 'snapshot' }
  if (position.epoch < history.position.epoch) return { kind: 'snapshot' }
  const contradiction = contradictionOf(history, { position, timeline })
  if (contradiction !== undefined) return { kind: 'refuse', message: contradiction }
  const known = history.checksumAt(position.txid) !== undefined
  return known ? { kind: 'resume', after: position.txid } : { kind: 'snapshot' }
}

/**
 * A revocation is sent only after its commit, so a replica can have more of this timeline than we do only if our disk is old.
 * This primary would then give the same numbers to other revocations. Returns the reason to refuse, or undefined.
 */
export function revocationsMissing(
  { timeline, revocationSeq }: Pick<PrimaryHistory, 'timeline' | 'revocationSeq'>,
  claim: RevocationsClaim | undefined,
): string | undefined {
  if (claim === undefined || claim.timeline !== timeline || claim.seq <= revocationSeq) return undefined
  return `it has revocation ${claim.seq}, and this primary’s newest is ${revocationSeq}`
}

/** The reason why the two positions cannot belong to one history; undefined if they can. */
function contradictionOf(history: PrimaryHistory, theirs: ProvenPosition): string | undefined {
  const { position, timeline } = theirs
  const ours = history.position
  if (position.epoch < ours.epoch) return undefined
  if (position.epoch > ours.epoch)
    return `it has seen epoch ${position.epoch}, and this primary leads epoch ${ours.epoch}`
  if (timeline !== history.timeline)
    return `it follows timeline ${timeline} of epoch ${ours.epoch}, not ${history.timeline}`
  if (position.txid > ours.txid) return `it is at ${positionText(position)}, ahead of ${positionText(ours)}`
  const checksum = history.checksumAt(position.txid)
  if (checksum === undefined || checksum === position.checksum) return undefined
  return `at transaction ${position.txid} its database was different from this primary’s`
}
