/**
 * Finds and reads files of an archive beyond its head that no entry names: the primary died while it wrote them, or their
 * entries were deleted. Anybody who can write to the archive could have made them, so their revocations wait for an operator.
 */
import { chainTo } from '../../shared/archive/chain.ts'
import type { ArchivedFile } from '../../shared/archive/layout.ts'
import { listSegmentFiles, readArchived } from '../../shared/archive/read-file.ts'
import { rebuildDatabase } from '../../shared/archive/rebuild.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Txid } from '../../shared/ids.ts'
import { decodeHeader } from '../../shared/ltx/header.ts'
import type { Position } from '../../shared/position.ts'
import type { ArchiveSource } from './source.ts'

/** Lists the files beyond the head that no entry names. */
export async function filesBeyond({ storage, files, head }: ArchiveSource): Promise<readonly ArchivedFile[]> {
  if (head === undefined) return []
  const named = new Set(files.map(({ key }) => key))
  const listed = await listSegmentFiles(storage)
  return listed.filter(({ key, maxTxid }) => maxTxid > head.txid && !named.has(key))
}

/** Names the transactions, because an operator can look for them in the old primary's log. */
export function beyondText(beyond: readonly ArchivedFile[]): string {
  const first = beyond.reduce((least, { minTxid }) => Math.min(least, minTxid), Infinity)
  const last = beyond.reduce((most, { maxTxid }) => Math.max(most, maxTxid), 0)
  const which = first === last ? `transaction ${first} lies` : `transactions ${first}-${last} lie`
  return `${which} in the archive without an entry: the primary died while it wrote them, or entries were deleted`
}

/** Rebuilds the database with those files. Throws archive_damaged if they do not continue from the head. */
export async function rebuildBeyond(
  { storage, files, head }: ArchiveSource & { readonly head: Position },
  beyond: readonly ArchivedFile[],
  path: string,
): Promise<void> {
  const chain = chainTo([...files, ...beyond], largest(beyond))
  const rest = chain?.files.filter(({ maxTxid }) => maxTxid > head.txid) ?? []
  if (chain === undefined || rest.length === 0) throw doNotFollow()
  let { checksum } = head
  for (const file of rest) {
    const { epoch, preApply, postApply } = decodeHeader(await readArchived(storage, file))
    if (epoch !== head.epoch || preApply !== checksum || postApply === undefined) throw doNotFollow()
    checksum = postApply
  }
  const rebuilt = await rebuildDatabase({ storage, files: chain.files, path })
  if (rebuilt.checksum !== checksum) throw doNotFollow()
}

function largest(files: readonly ArchivedFile[]): Txid {
  return files.reduce((most, { maxTxid }) => (maxTxid > most ? maxTxid : most), 0 as Txid)
}

/** The files are not the continuation of this archive: another program wrote them, or entries before them are gone. */
function doNotFollow(): MacaroondError {
  return new MacaroondError('archive_damaged', 'the files without an entry do not continue from the newest entry', {
    hint: 'find out what else writes to the archive',
  })
}
