/** Reads files of an archive and believes nothing: size and hash as the manifest has them, then every byte of the format. */
import { Sha256, sha256Hex } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { SEGMENT_BYTES_MAX } from '../limits.ts'
import {
  type BlockSink,
  decodeSegment,
  readBlocks,
  type PageRoom,
  type PageSink,
  type Segment,
  SegmentDecoder,
} from '../ltx/decoder.ts'
import type { SegmentHeader } from '../ltx/header.ts'
import type { ArchivedFile } from './layout.ts'
import { type ArchiveStorage, getWhole, piecesOf } from './storage.ts'

const PART_BYTES: number = 128 * 1024

/** A file that fits into memory: all that are not snapshots do. Throws archive_damaged, which names the file. */
export async function readSegmentFile(storage: ArchiveStorage, file: ArchivedFile): Promise<Segment> {
  const bytes = await readArchived(storage, file)
  return naming(file, () => {
    const segment = decodeSegment(bytes)
    requireHeader(file, segment.header)
    return segment
  })
}

/** Its bytes, of the size and the hash that the manifest says; whether they are a segment is not known yet. */
export async function readArchived(storage: ArchiveStorage, file: ArchivedFile): Promise<Buffer> {
  if (file.bytes > SEGMENT_BYTES_MAX) throw damaged(file, `it is of ${file.bytes} bytes`)
  const bytes = await getWhole(storage, file.key)
  requireEqual(file, 'of another size', bytes.length, file.bytes)
  if (file.sha256 !== undefined) requireEqual(file, 'not what was archived', sha256Hex(bytes), file.sha256)
  return bytes
}

/**
 * Hands out the pages of what `readArchived` gave, packed. Where nobody signed a hash of the file, each page is unpacked
 * first, to see whether the file's own checksum is right.
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
  /** Where pages are unpacked to; a buffer of its own for each without it. */
  readonly room?: PageRoom
  /** Awaited now and then: who takes the pages may need time for them. */
  readonly ready?: () => Promise<void>
  readonly onBytes?: ((bytes: number) => void) | undefined
}

/**
 * A file of any size, its pages handed out as they come, which is **before** the file as a whole was found right: what is
 * done with them must be undone when this rejects. Throws archive_damaged.
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

/** What is hashed is still in the processor's cache when it is unpacked. */
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
