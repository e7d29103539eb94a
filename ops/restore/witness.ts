/**
 * Pure: decides whether a witness proves that a restore read the newest state. The newest entries of an archive may have been
 * deleted, and nothing in the archive shows that. The witness is the old primary's disk, or the answers of all replicas that
 * could have acknowledged a revocation.
 */
import { comparePositions, positionText, type Position } from '../../shared/position.ts'
import type { Evidence } from './evidence.ts'

/** A position that a place claims to exist. */
export interface HeadClaim {
  /** The place and a verb, as the beginning of a sentence: `the manifest knows`. */
  readonly who: string
  readonly position: Position
}

/** The verdict: the witness of the newest state, or the reason why there is none. */
export type HeadVerdict =
  | { readonly witnessed: true; readonly by: string }
  | { readonly witnessed: false; readonly why: string }

/** All that was read, and all that is claimed. */
export interface HeadOptions {
  readonly evidence: readonly Evidence[]
  readonly claims: readonly HeadClaim[]
  /** The highest epoch that is claimed in the archive; 0 without an archive. */
  readonly epoch: number
}

/** A position without its checksum. */
export type EpochTxid = NonNullable<Evidence['position']>

/** Judges the evidence. A disk is a witness only if nothing that was read or claimed is newer than it. */
export function judgeHead({ evidence, claims, epoch }: HeadOptions): HeadVerdict {
  const known = [...claims.map(({ position }) => position), ...evidence.flatMap(({ position }) => position ?? [])]
  const newestEpoch = Math.max(epoch, ...known.map((one) => one.epoch))
  const isNewest = (one: EpochTxid): boolean => one.epoch >= newestEpoch && known.every((other) => isUpTo(other, one))
  const disk = evidence.find(({ source, position }) => source.kind === 'old disk' && position && isNewest(position))
  if (disk !== undefined) return { witnessed: true, by: `the old primary’s disk, which was read (${disk.from})` }
  return byReplicas(evidence, newestEpoch)
}

/**
 * Judges the answers of replicas. With durability `replica` at least one replica had each acknowledged revocation on its disk,
 * so all of them together know everything. A replica that did not answer may be the only one that knows the newest revocation.
 */
function byReplicas(evidence: readonly Evidence[], epoch: number): HeadVerdict {
  const states = namingStates(evidence)
  const newest = states.at(-1)
  if (newest === undefined)
    return unwitnessed('no state was read that names the replicas which could acknowledge a revocation')
  for (const { configured, position, from } of states) {
    if (configured === undefined)
      return unwitnessed(
        `${placeText(position)} of ${from} does not name the replicas which could acknowledge a revocation`,
      )
    if (configured.durability === 'replica' && !configured.degraded) continue
    const how = configured.degraded ? 'in degraded mode' : `with durability "${configured.durability}"`
    return unwitnessed(`revocations were acknowledged ${how}: only the old primary’s disk (--old-data) has all of them`)
  }
  const named = states.flatMap(({ configured }) => configured?.replicas ?? [])
  const replicas = [...new Map(named.map((one) => [one.peerId, one])).values()]
  const missing = replicas.filter(({ peerId }) => !evidence.some((one) => answered(one, peerId, epoch)))
  if (missing.length === 0 && replicas.length > 0)
    return {
      witnessed: true,
      by: `all ${replicas.length} replicas that ${placeText(newest.position)} names, which answered in epoch ${epoch}`,
    }
  const names = missing.map(({ region, peerId }) => region || peerId).join(', ')
  return unwitnessed(`no answer with pages of epoch ${epoch} came from ${names || 'any replica'}`)
}

type State = Evidence & { readonly position: EpochTxid }

/**
 * The states that name the replicas, oldest first: the newest one whose pages were compared, and every later one that a running
 * replica reports. Nobody compared a running replica's answer, so it may add replicas and take none away.
 */
function namingStates(evidence: readonly Evidence[]): readonly State[] {
  const states = evidence
    .flatMap((one) => (one.position === undefined ? [] : { ...one, position: one.position }))
    .toSorted((a, b) => compareEpochTxid(a.position, b.position) || Number(isNaming(a)) - Number(isNaming(b)))
  const compared = states.findLast(({ source }) => source.kind !== 'replica')
  const isLater = ({ position }: State): boolean =>
    compared === undefined || compareEpochTxid(position, compared.position) > 0
  const later = states.filter((one) => one.source.kind === 'replica' && isLater(one))
  return compared === undefined ? later : [compared, ...later]
}

function isNaming({ configured }: Evidence): boolean {
  return configured !== undefined
}

function answered({ source, position, unread = [] }: Evidence, peerId: string, epoch: number): boolean {
  return source.kind === 'replica' && source.peerId === peerId && position?.epoch === epoch && unread.length === 0
}

function isUpTo(a: EpochTxid, b: EpochTxid): boolean {
  return compareEpochTxid(a, b) <= 0
}

/** Orders by epoch, then transaction. Negative if `a` is older. */
export function compareEpochTxid(a: EpochTxid, b: EpochTxid): number {
  return a.epoch - b.epoch || a.txid - b.txid
}

/** The claims of positions that are newer than everything that was read, in words. */
export function newerThanRead(evidence: readonly Evidence[], claims: readonly HeadClaim[]): readonly string[] {
  const read = evidence.flatMap(({ position }) => position ?? [])
  const isCovered = (claimed: Position): boolean =>
    read.some((one) => comparePositions({ ...one, checksum: claimed.checksum }, claimed) >= 0)
  return claims
    .filter(({ position }) => !isCovered(position))
    .map(({ who, position }) => `${who} of ${positionText(position)}, which is newer than all that was read`)
}

function placeText({ epoch, txid }: EpochTxid): string {
  return `epoch ${epoch}, transaction ${txid}`
}

function unwitnessed(why: string): HeadVerdict {
  return { witnessed: false, why }
}
