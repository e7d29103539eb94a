/**
 * Pure: compares a copied database with what was recorded of it (S8). Its pages are compared with its own record or log, the
 * record with a position that the authority signed, and both with the checksums of a signed archive for the same transactions.
 */
import type { AppliedState } from '../../replica/follower/core.ts'
import { checksumText, type Checksum } from '../../shared/ids.ts'
import { comparePositions, positionText, type Position } from '../../shared/position.ts'
import type { ProvenPosition } from '../../shared/protocol/signed-position.ts'

export interface Comparison {
  /** The reason why the copy is not believed, in words; undefined if it is what was recorded. */
  readonly problem: string | undefined
  /** Information for the operator about a copy that is believed, in words. */
  readonly remarks: readonly string[]
  /** True if the authority's signature covers the pages, or all but the last of their transactions. */
  readonly signed: boolean
}

/** Looks up the checksum that a signed archive has after a transaction. */
export type ArchivedChecksums = (place: Pick<Position, 'epoch' | 'txid'>) => Checksum | undefined

/** The files of a replica that record its positions. */
export interface ReplicaRecord {
  /** In the order in which they were written. */
  readonly standings: readonly AppliedState[]
  /** `keyless`: the operator gave no public key, so no signature can be checked. */
  readonly signed: ProvenPosition | 'keyless' | 'missing' | 'not the authority’s'
}

/**
 * Compares a replica's pages. The chain of proof is: pages = record, record = signature, and any of them = archive. `signed` is
 * true if the archive or the authority's signature covers them.
 */
export function compareReplica(
  pages: Position,
  { standings, signed }: ReplicaRecord,
  archived: ArchivedChecksums,
): Comparison {
  const own = standings.findLast((one) => isAt(one.position, pages))
  if (own === undefined) return notBelieved(`its record has no checksum for transaction ${pages.txid}`)
  const problem = differsFrom(pages, own.position, 'its record') ?? archiveDiffers(pages, standings, archived)
  if (problem !== undefined) return notBelieved(problem)
  const isArchived = archived(pages) !== undefined
  if (typeof signed === 'string') return isArchived ? asArchived() : notBelieved(UNSIGNED[signed])
  if (comparePositions(signed.position, pages) > 0)
    return notBelieved(`the authority signed ${positionText(signed.position)}, which is beyond its pages`)
  return isArchived ? asArchived() : compareSigned(own, signed, standings)
}

/** Why a record without a valid signature proves nothing: whoever changed the pages could have changed the record with them. */
const UNSIGNED: Readonly<Record<'keyless' | 'missing' | 'not the authority’s', string>> = {
  keyless: 'without the authority’s key (--key, or the profile’s authority_key) nothing proves whose record it is',
  missing: 'no signed position lies beside it',
  'not the authority’s': 'its signed position is not signed by the authority',
}

/** Checks that the record leads from the signed position to the pages, without a gap and in one timeline. */
function compareSigned(
  own: AppliedState,
  { position, timeline }: ProvenPosition,
  all: readonly AppliedState[],
): Comparison {
  if (position.epoch !== own.position.epoch || timeline !== own.timeline)
    return notBelieved(`no position of its epoch ${own.position.epoch} and timeline is signed`)
  const recorded = new Map(
    all.filter((one) => one.timeline === timeline).map((one) => [one.position.txid, one.position]),
  )
  const signed = recorded.get(position.txid)
  if (signed === undefined)
    return notBelieved(`its record does not reach back to the signed transaction ${position.txid}`)
  const problem = differsFrom(signed, position, 'the signature')
  if (problem !== undefined) return notBelieved(problem)
  for (let txid = position.txid + 1; txid < own.position.txid; txid += 1) {
    if (!recorded.has(txid as typeof position.txid))
      return notBelieved(
        `its record lacks transaction ${txid}: a snapshot came after the last signature, or the record was cut`,
      )
  }
  const beyond = own.position.txid - position.txid
  const remark = `${beyond} transactions of it, from ${position.txid + 1} on, are beyond the last signed position: only its own record confirms them`
  return { problem: undefined, remarks: beyond === 0 ? [] : [remark], signed: true }
}

/** The positions that the log of a primary records. */
export interface LogRecord {
  /** The position after the newest transaction in the log and SQLite's WAL. */
  readonly pages: Position
  /** The positions that the copied part of the log records. */
  readonly logged: readonly Position[]
  /** Number of transactions that were in the WAL and not in the log. */
  readonly captured: number
  /** Bytes of an incomplete record at the log's end. */
  readonly tornBytes: number
}

/** Compares a primary's pages, after its log was recovered against its WAL. */
export function comparePrimary(
  { pages, logged, captured, tornBytes }: LogRecord,
  archived: ArchivedChecksums,
): Comparison {
  const all = [...logged, pages].map((position) => ({ position }))
  const problem = archiveDiffers(pages, all, archived)
  if (problem !== undefined) return notBelieved(problem)
  const torn = tornBytes > 0 ? [`its log ends as after a crash, in the middle of a record (${tornBytes} bytes)`] : []
  const late =
    captured > 0 ? [`its log ends as after a crash, ${captured} transactions before its WAL, which has them whole`] : []
  return { problem: undefined, remarks: [...torn, ...late], signed: archived(pages) !== undefined }
}

/** A copy that is not believed, for this reason. */
export function notBelieved(problem: string): Comparison {
  return { problem, remarks: [], signed: false }
}

function asArchived(): Comparison {
  return { problem: undefined, remarks: [], signed: true }
}

function isAt(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.txid === b.txid
}

/** The text for two different checksums of one position; undefined if they are equal. */
function differsFrom(found: Position, { checksum }: Pick<Position, 'checksum'>, who: string): string | undefined {
  if (found.checksum === checksum) return undefined
  return `after transaction ${found.txid} its checksum is ${checksumText(found.checksum)}, ${who} says ${checksumText(checksum)}`
}

/** The first position at which the archive has another checksum. Positions that the archive does not have prove nothing. */
function archiveDiffers(
  pages: Position,
  standings: readonly { readonly position: Position }[],
  archived: ArchivedChecksums,
): string | undefined {
  for (const position of [pages, ...standings.map((one) => one.position)]) {
    const checksum = archived(position)
    const problem = checksum === undefined ? undefined : differsFrom(position, { checksum }, 'the archive')
    if (problem !== undefined) return problem
  }
  return undefined
}
