/**
 * Pure: compares the rebuilt pages of a damaged primary with every other record of its positions (S8): the archive's checksums,
 * the replicas' answers, and positions that the authority signed. Each difference needs the operator's `--yes`.
 */
import type { ArchivedFile } from '../../shared/archive/layout.ts'
import { type Checksum, checksumText } from '../../shared/ids.ts'
import { comparePositions, type Position } from '../../shared/position.ts'
import type { Evidence } from './evidence.ts'
import type { NodeCopy } from './scratch.ts'

/** Looks up the checksum that the damaged primary recorded after a transaction. */
type ChecksumAt = (place: Pick<Position, 'epoch' | 'txid'>) => Checksum | undefined

/** The pages of a repair, and how far they can be proven. */
export interface RebuiltPages {
  readonly path: string
  readonly position: Position
  /** The sources of the pages, in words. */
  readonly used: readonly string[]
  readonly remarks: readonly string[]
  /** True if this disk proves that nothing the primary acknowledged is missing. An archive's head cannot prove that. */
  readonly isNewest: boolean
  /** The newer position that the damaged disk itself claims; undefined if the rebuilt pages reach it. */
  readonly beyond: Pick<Position, 'epoch' | 'txid'> | undefined
}

/** A damaged primary as a source of a restore. */
export interface Repaired {
  readonly pages: RebuiltPages
  /** The copy of the damaged data folder. */
  readonly copy: NodeCopy
  readonly checksumAt: ChecksumAt
  /** Sources that could not be read, in words. */
  readonly unread: readonly string[]
}

/** Every difference and every source that could not be read, in words. */
export function differencesOf(
  { pages, checksumAt, unread }: Repaired,
  files: readonly ArchivedFile[],
  evidence: readonly Evidence[],
): readonly string[] {
  return [
    ...unread,
    ...differingFromArchive(files, checksumAt),
    ...differingFromReplicas(evidence, pages.position, checksumAt),
  ]
}

/** The first difference. `checksumAt` looks up what the damaged primary recorded, as far as its log can be read. */
function differingFromArchive(files: readonly ArchivedFile[], checksumAt: ChecksumAt): readonly string[] {
  for (const { epoch, maxTxid, postApply } of files) {
    const own = epoch === undefined ? undefined : checksumAt({ epoch, txid: maxTxid })
    if (own === undefined || postApply === undefined || own === postApply) continue
    return [differs('the archive', maxTxid, postApply, own)]
  }
  return []
}

/** For each replica: a checksum that differs, or a position beyond the rebuilt pages. */
function differingFromReplicas(
  evidence: readonly Evidence[],
  rebuilt: Position,
  checksumAt: ChecksumAt,
): readonly string[] {
  const at = (place: Position): Checksum | undefined =>
    comparePositions(place, rebuilt) === 0 ? rebuilt.checksum : checksumAt(place)
  return evidence.flatMap(({ from, reported }) => {
    if (reported === undefined) return []
    const { stated, signed } = reported
    const known = [
      ...(signed === undefined ? [] : [{ who: `the authority, as ${from} shows,`, position: signed }]),
      { who: from, position: stated },
    ]
    const other = known.find(({ position }) => {
      const own = at(position)
      return own !== undefined && own !== position.checksum
    })
    if (other !== undefined)
      return [differs(other.who, other.position.txid, other.position.checksum, at(other.position)!)]
    return comparePositions(stated, rebuilt) > 0 ? [beyond(from, stated, rebuilt, signed)] : []
  })
}

function differs(who: string, txid: number, theirs: Checksum, own: Checksum): string {
  return `after transaction ${txid} ${who} has checksum ${checksumText(theirs)}, this primary recorded ${checksumText(own)}`
}

/** Text for a replica that is ahead. It has only what this primary committed, so the repair would lose transactions. */
function beyond(from: string, { epoch, txid }: Position, rebuilt: Position, signed: Position | undefined): string {
  const proven = signed !== undefined && comparePositions(signed, rebuilt) > 0 ? ', which the authority has signed' : ''
  return `${from} is ahead of the rebuilt pages: epoch ${epoch}, transaction ${txid}${proven}. To keep its transactions, stop it and restore from its copy: \`macaroond restore --from-replica FOLDER --old-data\` with this data folder`
}
