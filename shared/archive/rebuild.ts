/**
 * Rebuilds a database file from the files of a plan, and computes its checksum. The caller compares it with the recorded one.
 */
import { MacaroondError } from '../errors.ts'
import { type Checksum, checksumText } from '../ids.ts'
import type { SegmentHeader } from '../ltx/header.ts'
import type { ArchivedFile } from './layout.ts'
import { readPackedPages, damaged, readArchived, streamSegmentFile } from './read-file.ts'
import { RebuiltFile } from './rebuilt-file.ts'
import type { RestorePlan } from './restore-plan.ts'
import { type ArchiveStorage, requestsAtOnce } from './storage.ts'

export interface RebuildOptions {
  readonly storage: ArchiveStorage
  /** A whole database first, then changes without a gap. */
  readonly files: readonly ArchivedFile[]
  /** Path of the new file, which must not exist. It is not synced. If this rejects, the caller deletes the file. */
  readonly path: string
  readonly onBytes?: (bytes: number) => void
}

export interface Rebuilt {
  readonly checksum: Checksum
  readonly pages: number
  /** Header of the last file. */
  readonly header: SegmentHeader
}

/** Throws archive_damaged, disk_full, and the errors of the storage. */
export async function rebuildDatabase({ storage, files, path, onBytes }: RebuildOptions): Promise<Rebuilt> {
  const [whole, ...rest] = files
  if (whole === undefined) throw new MacaroondError('restore_target', 'there is nothing to restore from')
  const target = new RebuiltFile(path)
  try {
    let header = await streamSegmentFile(storage, whole, {
      onPage: target.onWholePage,
      pageBuffer: target.wholePageBuffer,
      ready: () => target.ready(),
      onBytes,
    })
    await target.endWhole(header)
    for await (const { bytes, file } of inOrder(storage, rest)) {
      const { pageSize } = header
      header = readPackedPages(file, bytes, (pgno, block) => target.onChanged(pgno, block, file))
      if (header.pageSize !== pageSize) throw damaged(file, 'its page size differs from that of the snapshot')
      target.endChanges(header)
      onBytes?.(file.bytes)
    }
    return { checksum: target.finish(), pages: header.commit, header }
  } finally {
    await target.close()
  }
}

/** Yields the files in order, and reads a few of them ahead. */
async function* inOrder(
  storage: ArchiveStorage,
  files: readonly ArchivedFile[],
): AsyncGenerator<{ readonly bytes: Buffer; readonly file: ArchivedFile }> {
  const reading: Promise<Buffer>[] = []
  const atOnce = requestsAtOnce(storage)
  let next = 0
  for (const file of files) {
    for (; next < files.length && reading.length < atOnce; next += 1) {
      const ahead = readArchived(storage, files[next]!)
      // Avoids an unhandled rejection: the promise is awaited later, in its turn.
      ahead.catch(() => undefined)
      reading.push(ahead)
    }
    yield { bytes: await reading.shift()!, file }
  }
}

/**
 * Compares the checksum with the one recorded at the commit, because the files alone prove only that they fit each other.
 * Throws archive_damaged.
 */
export function requireRecorded({ last, point }: RestorePlan, found: Checksum): void {
  if (last.postApply === undefined || last.postApply === found) return
  const recorded = checksumText(last.postApply)
  throw new MacaroondError(
    'archive_damaged',
    `the restored pages give checksum ${checksumText(found)}, but at the commit of transaction ${point.txid} it was ${recorded}`,
    { hint: 'one of the files is not what was archived: `macaroond archive verify` finds it' },
  )
}
