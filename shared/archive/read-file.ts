/** Reads files of an archive without trusting them: checks size and hash by the manifest, then every byte of the format. */
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

/** Reads a file that fits into memory, as all but snapshots do. Throws archive_damaged, with the file's name. */
export async function readSegmentFile(storage: ArchiveStorage, file: ArchivedFile): Promise<Segment> {
  const bytes = await readArchived(storage, file)
  return naming(file, () => {
    const segment = decodeSegment(bytes)
    requireHeader(file, segment.header)
    return segment
  })
}

/** Reads a file and checks size and hash by the manifest. It does not decode the segment. Throws archive_damaged. */
export async function readArchived(storage: ArchiveStorage, file: ArchivedFile): Promise<Buffer> {
  if (file.bytes > SEGMENT_BYTES_MAX) throw damaged(file, `it is of ${file.bytes} bytes`)
  const bytes = await getWhole(storage, file.key)
  requireEqual(file, 'of another size', bytes.length, file.bytes)
  if (file.sha256 !== undefined) requireEqual(file, 'not what was archived', sha256Hex(bytes), file.sha256)
  return bytes
}

/**
 * Hands out the packed pages of a result of `readArchived`. If the file has no signed hash, this first unpacks everything to
 * check the file's own checksum. Throws archive_damaged.
 */
export function blocksOfArchived(file: ArchivedFile, bytes: Buffer, onBlock: BlockSink): SegmentHeader {
  return naming(file, () => {
    if (file.sha256 === undefined) decodeSegment(bytes)
    const header = readBlocks(bytes, onBlock)
    requireHeader(file, header)
    return header
  })
}

export interface StreamOptions {
  readonly onPage: PageSink
  /** Buffers that pages are unpacked into; default: a new one for each page. */
  readonly room?: PageBuffer
  /** Awaited now and then, so that the receiver of the pages can catch up. */
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
  { onPage, room, ready, onBytes }: StreamOptions,
): Promise<SegmentHeader> {
  const hash = new Sha256()
  const decoder = new SegmentDecoder(onPage, room)
  let bytes = 0
  for await (const piece of piecesOf(storage, file.key, file.bytes)) {
    bytes += piece.length
    if (bytes > file.bytes) throw damaged(file, 'it is longer than what was archived')
    for (const part of partsOf(piece)) {
      hash.update(part)
      naming(file, () => decoder.write(part))
      await ready?.()
    }
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

/** Cuts a piece into parts small enough to stay in the processor's cache between hashing and unpacking. */
function* partsOf(piece: Buffer): Generator<Buffer> {
  for (let at = 0; at < piece.length; at += PART_BYTES) yield piece.subarray(at, at + PART_BYTES)
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

/**
 * Lists the segments by their names alone, for archives without a manifest and to compare with one. Timestamps come from the
 * listing. Hashes, epochs and checksums are unknown.
 */
export async function listSegmentFiles(storage: ArchiveStorage): Promise<readonly ArchivedFile[]> {
  const objects = await storage.list(SEGMENTS_PREFIX)
  return objects.flatMap(({ key, bytes, timestampMs }) => {
    const parsed = parseSegmentKey(key)
    if (parsed === undefined) return []
    return [{ ...parsed, key, bytes, timestampMs, sha256: undefined, epoch: undefined, postApply: undefined }]
  })
}
