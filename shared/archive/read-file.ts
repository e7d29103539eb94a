/**
 * Reads files of an archive without trusting them: checks size and hash against the manifest, then every byte of the format.
 */
import { Sha256, sha256Hex } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { SEGMENT_BYTES_MAX } from '../limits.ts'
import {
  type BlockSink,
  decodeSegment,
  readBlocks,
  type PageBuffer,
  type PageSink,
  type Segment,
  SegmentDecoder,
} from '../ltx/decoder.ts'
import type { SegmentHeader } from '../ltx/header.ts'
import { type ArchivedFile, parseSegmentKey, SEGMENTS_PREFIX } from './layout.ts'
import { type ArchiveStorage, getWhole, piecesOf } from './storage.ts'

const PART_BYTES: number = 128 * 1024

/** Reads a file that fits into memory, as all files except snapshots do. Throws archive_damaged, with the file's name. */
export async function readSegmentFile(storage: ArchiveStorage, file: ArchivedFile): Promise<Segment> {
  const bytes = await readArchived(storage, file)
  return withFileName(file, () => {
    const segment = decodeSegment(bytes)
    requireHeader(file, segment.header)
    return segment
  })
}

/** Reads a file and checks its size and hash against the manifest. It does not decode the segment. Throws archive_damaged. */
export async function readArchived(storage: ArchiveStorage, file: ArchivedFile): Promise<Buffer> {
  if (file.bytes > SEGMENT_BYTES_MAX) throw damaged(file, `it has ${file.bytes} bytes, more than a segment may have`)
  const bytes = await getWhole(storage, file.key)
  requireEqual(file, 'its size differs from the manifest', bytes.length, file.bytes)
  if (file.sha256 !== undefined) requireEqual(file, 'it is not what was archived', sha256Hex(bytes), file.sha256)
  return bytes
}

/**
 * Passes each packed page of a file that `readArchived` has read to `onBlock`. If the manifest has no hash of the file, it
 * first unpacks the whole file to check its own checksum. Throws archive_damaged.
 */
export function readPackedPages(file: ArchivedFile, bytes: Buffer, onBlock: BlockSink): SegmentHeader {
  return withFileName(file, () => {
    if (file.sha256 === undefined) decodeSegment(bytes)
    const header = readBlocks(bytes, onBlock)
    requireHeader(file, header)
    return header
  })
}

export interface StreamOptions {
  readonly onPage: PageSink
  /** Returns the buffer that a page is unpacked into. Default: a new buffer for each page. */
  readonly pageBuffer?: PageBuffer
  /** Awaited after each part, so that the receiver of the pages can catch up. */
  readonly ready?: () => Promise<void>
  readonly onBytes?: ((bytes: number) => void) | undefined
}

/**
 * Reads a file of any size. It hands out pages **before** the whole file is verified, so the caller must undo its work on them
 * if this rejects. Throws archive_damaged.
 */
export async function streamSegmentFile(
  storage: ArchiveStorage,
  file: ArchivedFile,
  { onPage, pageBuffer, ready, onBytes }: StreamOptions,
): Promise<SegmentHeader> {
  const hash = new Sha256()
  const decoder = new SegmentDecoder(onPage, pageBuffer)
  let bytes = 0
  for await (const piece of piecesOf(storage, file.key, file.bytes)) {
    bytes += piece.length
    if (bytes > file.bytes) throw damaged(file, 'it is longer than what was archived')
    for (const part of partsOf(piece)) {
      hash.update(part)
      withFileName(file, () => decoder.write(part))
      await ready?.()
    }
    onBytes?.(piece.length)
  }
  requireEqual(file, 'its size differs from the manifest', bytes, file.bytes)
  if (file.sha256 !== undefined) requireEqual(file, 'it is not what was archived', hash.hex(), file.sha256)
  return withFileName(file, () => {
    const header = decoder.finish()
    requireHeader(file, header)
    return header
  })
}

/** Cuts a piece into parts small enough to stay in the processor's cache between hashing and unpacking. */
function* partsOf(piece: Buffer): Generator<Buffer> {
  for (let at = 0; at < piece.length; at += PART_BYTES) yield piece.subarray(at, at + PART_BYTES)
}

function requireHeader(file: ArchivedFile, { minTxid, maxTxid, epoch, postApply }: SegmentHeader): void {
  if (minTxid !== file.minTxid || maxTxid !== file.maxTxid)
    throw damaged(file, 'it holds other transactions than its name says')
  if (file.sha256 === undefined) return
  if (epoch !== file.epoch || postApply !== file.postApply) throw damaged(file, 'its header differs from the manifest')
}

function requireEqual<T>(file: ArchivedFile, what: string, found: T, expected: T): void {
  if (found !== expected) throw damaged(file, what)
}

function withFileName<T>(file: ArchivedFile, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'segment_corrupt') throw error
    throw damaged(file, error.message)
  }
}

export function damaged({ key }: ArchivedFile, what: string): MacaroondError {
  return new MacaroondError('archive_damaged', `${key} is damaged: ${what}`, {
    hint: 'put it back from a copy of the archive, or restore to a time that does not need it',
  })
}

/**
 * Lists the segments that the store has, for an archive without a manifest and for a comparison with the manifest. Names, sizes
 * and timestamps come from the list. Hashes, epochs and checksums are unknown.
 */
export async function listSegmentFiles(storage: ArchiveStorage): Promise<readonly ArchivedFile[]> {
  const objects = await storage.list(SEGMENTS_PREFIX)
  return objects.flatMap(({ key, bytes, timestampMs }) => {
    const parsed = parseSegmentKey(key)
    if (parsed === undefined) return []
    return [{ ...parsed, key, bytes, timestampMs, sha256: undefined, epoch: undefined, postApply: undefined }]
  })
}
