/**
 * Encodes and decodes the header and the frames of a WAL file (https://sqlite.org/fileformat2.html section 4). All integers are
 * big-endian. FORMAT.md has the tables. Nothing here reads or writes a file.
 */
import { PAGE_BYTES } from '../limits.ts'
import type { RunningChecksum } from './wal-checksum.ts'
import { extendChecksum } from './wal-checksum.ts'

const WORD_BYTES = 4

const MAGIC_AT = 0
const VERSION_AT: number = MAGIC_AT + WORD_BYTES
const PAGE_BYTES_AT: number = VERSION_AT + WORD_BYTES
const SEQUENCE_AT: number = PAGE_BYTES_AT + WORD_BYTES
export const WAL_SALT_AT: number = SEQUENCE_AT + WORD_BYTES
const HEADER_CHECKSUM_AT: number = WAL_SALT_AT + 2 * WORD_BYTES
export const WAL_HEADER_BYTES: number = HEADER_CHECKSUM_AT + 2 * WORD_BYTES

/** The lowest bit says in which byte order the checksums read their words. */
const MAGIC_LITTLE_ENDIAN = 0x377f0682
const MAGIC_BIG_ENDIAN = 0x377f0683
const WAL_VERSION = 3_007_000

const PAGE_NUMBER_AT = 0
const COMMIT_PAGES_AT: number = PAGE_NUMBER_AT + WORD_BYTES
const FRAME_SALT_AT: number = COMMIT_PAGES_AT + WORD_BYTES
const FRAME_CHECKSUM_AT: number = FRAME_SALT_AT + 2 * WORD_BYTES
export const FRAME_HEADER_BYTES: number = FRAME_CHECKSUM_AT + 2 * WORD_BYTES
export const FRAME_BYTES: number = FRAME_HEADER_BYTES + PAGE_BYTES

/** The checksum of a frame covers its page number and commit size, then the page; salts and checksum are left out. */
const CHECKSUMMED_HEADER_WORDS: number = FRAME_SALT_AT / WORD_BYTES
const FRAME_WORDS: number = FRAME_BYTES / WORD_BYTES
const FRAME_HEADER_WORDS: number = FRAME_HEADER_BYTES / WORD_BYTES

/** Number of the page with SQLite's lock bytes, at 1 GiB. SQLite never writes it, so no WAL and no segment contains it. */
export const LOCK_PAGE: number = 0x40000000 / PAGE_BYTES + 1

export interface WalHeader {
  readonly bigEndian: boolean
  readonly pageBytes: number
  /** Counts restarts of the log. No reader compares it. */
  readonly sequence: number
  readonly salt1: number
  readonly salt2: number
}

/** One image of one page, `PAGE_BYTES` long. */
export interface PageImage {
  readonly pgno: number
  readonly data: Uint8Array
}

/** Offset of a frame in the file. Frames are counted from 1. */
export function frameOffset(frame: number): number {
  return WAL_HEADER_BYTES + (frame - 1) * FRAME_BYTES
}

/** Returns the header and its checksum, which seeds the first frame's; undefined if it is torn or no WAL header. */
export function parseWalHeader(
  bytes: Buffer,
): { readonly header: WalHeader; readonly sum: RunningChecksum } | undefined {
  const magic = bytes.readUInt32BE(MAGIC_AT)
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return undefined
  if (bytes.readUInt32BE(VERSION_AT) !== WAL_VERSION) return undefined
  const header: WalHeader = {
    bigEndian: magic === MAGIC_BIG_ENDIAN,
    pageBytes: bytes.readUInt32BE(PAGE_BYTES_AT),
    sequence: bytes.readUInt32BE(SEQUENCE_AT),
    salt1: bytes.readUInt32BE(WAL_SALT_AT),
    salt2: bytes.readUInt32BE(WAL_SALT_AT + WORD_BYTES),
  }
  const sum = headerChecksum(bytes, header.bigEndian)
  const sound =
    bytes.readInt32BE(HEADER_CHECKSUM_AT) === sum.s1 && bytes.readInt32BE(HEADER_CHECKSUM_AT + WORD_BYTES) === sum.s2
  return sound ? { header, sum } : undefined
}

/** Writes the header into `bytes` and returns its checksum. */
export function writeWalHeader(bytes: Buffer, header: WalHeader): RunningChecksum {
  bytes.writeUInt32BE(header.bigEndian ? MAGIC_BIG_ENDIAN : MAGIC_LITTLE_ENDIAN, MAGIC_AT)
  bytes.writeUInt32BE(WAL_VERSION, VERSION_AT)
  bytes.writeUInt32BE(header.pageBytes, PAGE_BYTES_AT)
  bytes.writeUInt32BE(header.sequence, SEQUENCE_AT)
  bytes.writeUInt32BE(header.salt1, WAL_SALT_AT)
  bytes.writeUInt32BE(header.salt2, WAL_SALT_AT + WORD_BYTES)
  const sum = headerChecksum(bytes, header.bigEndian)
  bytes.writeInt32BE(sum.s1, HEADER_CHECKSUM_AT)
  bytes.writeInt32BE(sum.s2, HEADER_CHECKSUM_AT + WORD_BYTES)
  return sum
}

function headerChecksum(bytes: Buffer, bigEndian: boolean): RunningChecksum {
  const sum = { s1: 0, s2: 0 }
  const words = new Int32Array(new Uint8Array(bytes.subarray(0, HEADER_CHECKSUM_AT)).buffer)
  extendChecksum(sum, words, 0, words.length, bigEndian)
  return sum
}

/** Memory for frames in their file layout, with the views that parsing and checksums need. Here frames count from 0. */
export class FrameBuffer {
  readonly bytes: Buffer
  readonly capacity: number
  readonly #words: Int32Array

  constructor(capacity: number) {
    const memory = new ArrayBuffer(capacity * FRAME_BYTES)
    this.bytes = Buffer.from(memory)
    this.capacity = capacity
    this.#words = new Int32Array(memory)
  }

  pgno(index: number): number {
    return this.bytes.readUInt32BE(index * FRAME_BYTES + PAGE_NUMBER_AT)
  }

  /** Size of the database in pages after this frame's transaction; 0 unless it is the last frame of its transaction. */
  commitPages(index: number): number {
    return this.bytes.readUInt32BE(index * FRAME_BYTES + COMMIT_PAGES_AT)
  }

  page(index: number): Buffer {
    return this.bytes.subarray(index * FRAME_BYTES + FRAME_HEADER_BYTES, (index + 1) * FRAME_BYTES)
  }

  /**
   * True if this frame continues the log of `header`; `sum` then covers it. If false, `sum` is unusable: the log ends before.
   */
  verify(index: number, header: WalHeader, sum: RunningChecksum): boolean {
    const at = index * FRAME_BYTES
    if (this.bytes.readUInt32BE(at + FRAME_SALT_AT) !== header.salt1) return false
    if (this.bytes.readUInt32BE(at + FRAME_SALT_AT + WORD_BYTES) !== header.salt2) return false
    this.#extend(index, header.bigEndian, sum)
    return (
      this.bytes.readInt32BE(at + FRAME_CHECKSUM_AT) === sum.s1 &&
      this.bytes.readInt32BE(at + FRAME_CHECKSUM_AT + WORD_BYTES) === sum.s2
    )
  }

  /** Writes a frame that continues the log of `header`; `sum` then covers it. */
  write(index: number, page: PageImage, commitPages: number, header: WalHeader, sum: RunningChecksum): void {
    const at = index * FRAME_BYTES
    this.bytes.writeUInt32BE(page.pgno, at + PAGE_NUMBER_AT)
    this.bytes.writeUInt32BE(commitPages, at + COMMIT_PAGES_AT)
    this.bytes.writeUInt32BE(header.salt1, at + FRAME_SALT_AT)
    this.bytes.writeUInt32BE(header.salt2, at + FRAME_SALT_AT + WORD_BYTES)
    this.bytes.set(page.data, at + FRAME_HEADER_BYTES)
    this.#extend(index, header.bigEndian, sum)
    this.bytes.writeInt32BE(sum.s1, at + FRAME_CHECKSUM_AT)
    this.bytes.writeInt32BE(sum.s2, at + FRAME_CHECKSUM_AT + WORD_BYTES)
  }

  #extend(index: number, bigEndian: boolean, sum: RunningChecksum): void {
    const word = index * FRAME_WORDS
    extendChecksum(sum, this.#words, word, word + CHECKSUMMED_HEADER_WORDS, bigEndian)
    extendChecksum(sum, this.#words, word + FRAME_HEADER_WORDS, word + FRAME_WORDS, bigEndian)
  }
}
