/** Reads files of an archive and believes nothing: size and hash as the manifest has them, then every byte of the format. */
import { Sha256, sha256 } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { SEGMENT_BYTES_MAX } from '../limits.ts'
import { decodeSegment, type PageSink, type Segment, SegmentDecoder } from '../ltx/decoder.ts'
import type { SegmentHeader } from '../ltx/header.ts'
import type { ArchivedFile } from './layout.ts'
import { type ArchiveStorage, getWhole, piecesOf } from './storage.ts'

/** A file that fits into memory: all that are not snapshots do. Throws archive_damaged, which names the file. */
export async function readSegmentFile(storage: ArchiveStorage, file: ArchivedFile): Promise<Segment> {
  if (file.bytes > SEGMENT_BYTES_MAX) throw damaged(file, `it is of ${file.bytes} bytes`)
  const bytes = await getWhole(storage, file.key)
  requireEqual(file, 'of another size', bytes.length, file.bytes)
  if (file.sha256 !== undefined) requireEqual(file, 'not what was archived', sha256(bytes).toString('hex'), file.sha256)
  return naming(file, () => {
    const segment = decodeSegment(bytes)
    requireHeader(file, segment.header)
    return segment
  })
}

/**
 * A file of any size, its pages handed out as they come, which is **before** the file as a whole was found right: what is
 * done with them must be undone when this rejects. Throws archive_damaged.
 */
export async function streamSegmentFile(
  storage: ArchiveStorage,
  file: ArchivedFile,
  { onPage, onBytes }: { readonly onPage: PageSink; readonly onBytes?: ((bytes: number) => void) | undefined },
): Promise<SegmentHeader> {
  const hash = new Sha256()
  const decoder = new SegmentDecoder(onPage)
  let bytes = 0
  for await (const piece of piecesOf(storage, file.key)) {
    bytes += piece.length
    if (bytes > file.bytes) throw damaged(file, 'it is longer than what was archived')
    hash.update(piece)
    naming(file, () => decoder.write(piece))
    onBytes?.(piece.length)
  }
  requireEqual(file, 'of another size', bytes, file.bytes)
  if (file.sha256 !== undefined) requireEqual(file, 'not what was archived', hash.hex(), file.sha256)
  return naming(file, () => {
    const header = decoder.finish()
    requireHeader(file, header)
    return header
  })
}

function requireHeader(file: ArchivedFile, { minTxid, maxTxid, epoch, postApply }: SegmentHeader): void {
  if (minTxid !== file.minTxid || maxTxid !== file.maxTxid)
    throw damaged(file, 'it holds other transactions than its name says')
  if (file.sha256 === undefined) return
  if (epoch !== file.epoch || postApply !== file.postApply)
    throw damaged(file, 'its header is not what the manifest says')
}

function requireEqual<T>(file: ArchivedFile, what: string, found: T, expected: T): void {
  if (found !== expected) throw damaged(file, `it is ${what}`)
}

function naming<T>(file: ArchivedFile, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'segment_corrupt') throw error
    throw damaged(file, error.message)
  }
}

export function damaged({ key }: ArchivedFile, what: string): MacaroondError {
  return new MacaroondError('archive_damaged', `${key} is damaged: ${what}`, {
    hint: 'put it back from a copy of the archive, or choose a time whose plan does not need it',
  })
}
