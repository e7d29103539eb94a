/**
 * Encodes and decodes the wal-index, the -shm file: https://sqlite.org/walformat.html section 2 ("The WAL-Index File Format").
 * Integers are in the host's byte order, except the salts, which keep the bytes of the WAL header. FORMAT.md has the tables.
 * Nothing here reads or writes a file.
 */
import { PAGE_BYTES } from '../limits.ts'
import type { RunningChecksum } from './wal-checksum.ts'
import { HOST_BIG_ENDIAN, extendChecksum } from './wal-checksum.ts'

const WORD_BYTES = 4

const VERSION_AT = 0
const CHANGE_COUNTER_AT: number = VERSION_AT + 2 * WORD_BYTES
const INITIALISED_AT: number = CHANGE_COUNTER_AT + WORD_BYTES
const BIG_ENDIAN_AT: number = INITIALISED_AT + 1
const PAGE_SIZE_AT: number = BIG_ENDIAN_AT + 1
const LAST_FRAME_AT: number = PAGE_SIZE_AT + 2
const PAGES_AT: number = LAST_FRAME_AT + WORD_BYTES
const FRAME_CHECKSUM_AT: number = PAGES_AT + WORD_BYTES
const SALT_AT: number = FRAME_CHECKSUM_AT + 2 * WORD_BYTES
const CHECKSUM_AT: number = SALT_AT + 2 * WORD_BYTES
/** Size of one header. The file has two copies of it, one after the other. */
export const INDEX_HEADER_BYTES: number = CHECKSUM_AT + 2 * WORD_BYTES
/** First field after the two copies: the number of frames copied into the database (nBackfill). */
export const BACKFILLED_AT: number = 2 * INDEX_HEADER_BYTES
const CHECKPOINT_INFO_BYTES: number = 10 * WORD_BYTES
const INDEX_PREFIX_BYTES: number = BACKFILLED_AT + CHECKPOINT_INFO_BYTES

const INDEX_VERSION = 3_007_000

const BLOCK_PAGE_NUMBERS = 4096
const BLOCK_SLOTS: number = 2 * BLOCK_PAGE_NUMBERS
const SLOTS_AT: number = BLOCK_PAGE_NUMBERS * WORD_BYTES
export const BLOCK_BYTES: number = SLOTS_AT + BLOCK_SLOTS * 2
/** The first block also holds the header, so it has room for 4062 frames only. */
const FIRST_BLOCK_FRAMES: number = BLOCK_PAGE_NUMBERS - INDEX_PREFIX_BYTES / WORD_BYTES
const HASH_FACTOR = 383

export interface IndexHeader {
  /** iChange: grows by one with every commit of any program. A checkpoint does not change it. */
  readonly changeCounter: number
  readonly bigEndian: boolean
  /** mxFrame: last frame of the last commit; 0 if the log is empty. */
  readonly lastFrame: number
  /** Size of the database in pages; 0 if nothing was committed in this log. */
  readonly pages: number
  readonly frameChecksum: Readonly<RunningChecksum>
  readonly salt1: number
  readonly salt2: number
}

/** Returns undefined if the bytes are no valid header: it is being written, or was never initialised. */
export function parseIndexHeader(bytes: Buffer): IndexHeader | undefined {
  const words = new Int32Array(new Uint8Array(bytes.subarray(0, INDEX_HEADER_BYTES)).buffer)
  const sum = { s1: 0, s2: 0 }
  extendChecksum(sum, words, 0, CHECKSUM_AT / WORD_BYTES, HOST_BIG_ENDIAN)
  const word = (at: number): number => words[at / WORD_BYTES] as number
  if (word(CHECKSUM_AT) !== sum.s1 || word(CHECKSUM_AT + WORD_BYTES) !== sum.s2) return undefined
  if (word(VERSION_AT) !== INDEX_VERSION || bytes[INITIALISED_AT] !== 1) return undefined
  return {
    changeCounter: word(CHANGE_COUNTER_AT) >>> 0,
    bigEndian: bytes[BIG_ENDIAN_AT] !== 0,
    lastFrame: word(LAST_FRAME_AT) >>> 0,
    pages: word(PAGES_AT) >>> 0,
    frameChecksum: { s1: word(FRAME_CHECKSUM_AT), s2: word(FRAME_CHECKSUM_AT + WORD_BYTES) },
    salt1: bytes.readUInt32BE(SALT_AT),
    salt2: bytes.readUInt32BE(SALT_AT + WORD_BYTES),
  }
}

export function encodeIndexHeader(header: IndexHeader): Buffer {
  const words = new Int32Array(INDEX_HEADER_BYTES / WORD_BYTES)
  const bytes = Buffer.from(words.buffer)
  words[VERSION_AT] = INDEX_VERSION
  words[CHANGE_COUNTER_AT / WORD_BYTES] = header.changeCounter
  bytes[INITIALISED_AT] = 1
  bytes[BIG_ENDIAN_AT] = header.bigEndian ? 1 : 0
  new Uint16Array(words.buffer)[PAGE_SIZE_AT / 2] = PAGE_BYTES
  words[LAST_FRAME_AT / WORD_BYTES] = header.lastFrame
  words[PAGES_AT / WORD_BYTES] = header.pages
  words[FRAME_CHECKSUM_AT / WORD_BYTES] = header.frameChecksum.s1
  words[FRAME_CHECKSUM_AT / WORD_BYTES + 1] = header.frameChecksum.s2
  bytes.writeUInt32BE(header.salt1, SALT_AT)
  bytes.writeUInt32BE(header.salt2, SALT_AT + WORD_BYTES)
  const sum = { s1: 0, s2: 0 }
  extendChecksum(sum, words, 0, CHECKSUM_AT / WORD_BYTES, HOST_BIG_ENDIAN)
  words[CHECKSUM_AT / WORD_BYTES] = sum.s1
  words[CHECKSUM_AT / WORD_BYTES + 1] = sum.s2
  return bytes
}

/** Number of the block that holds `frame`. */
export function blockOfFrame(frame: number): number {
  return frame <= FIRST_BLOCK_FRAMES ? 0 : Math.floor((frame - FIRST_BLOCK_FRAMES - 1) / BLOCK_PAGE_NUMBERS) + 1
}

export function firstFrameOfBlock(block: number): number {
  return block === 0 ? 1 : FIRST_BLOCK_FRAMES + (block - 1) * BLOCK_PAGE_NUMBERS + 1
}

/** Offset of the page numbers inside `block`. The first block has the header before them. */
export function pageNumbersAt(block: number): number {
  return block === 0 ? INDEX_PREFIX_BYTES : 0
}

/** One block of the wal-index in memory: the page numbers of its frames, and the hash table that finds a page's frames. */
export class IndexBlock {
  readonly number: number
  readonly firstFrame: number
  readonly capacity: number
  readonly bytes: Uint8Array
  readonly #pageNumbers: Uint32Array
  readonly #slots: Uint16Array
  #count = 0

  constructor(number: number) {
    const memory = new ArrayBuffer(BLOCK_BYTES)
    this.number = number
    this.firstFrame = firstFrameOfBlock(number)
    this.capacity = firstFrameOfBlock(number + 1) - this.firstFrame
    this.bytes = new Uint8Array(memory)
    this.#pageNumbers = new Uint32Array(memory, pageNumbersAt(number), this.capacity)
    this.#slots = new Uint16Array(memory, SLOTS_AT, BLOCK_SLOTS)
  }

  get count(): number {
    return this.#count
  }

  /** Enters the next frame and returns the offset inside the block of the hash slot that names it. */
  append(pgno: number): number {
    this.#pageNumbers[this.#count] = pgno
    this.#count += 1
    let slot = (pgno * HASH_FACTOR) % BLOCK_SLOTS
    while (this.#slots[slot] !== 0) slot = (slot + 1) % BLOCK_SLOTS
    // A slot holds the frame's index inside its block, counted from 1. 0 marks a free slot.
    this.#slots[slot] = this.#count
    return SLOTS_AT + slot * Uint16Array.BYTES_PER_ELEMENT
  }

  /** Offset inside the block of the page number of the `index`th frame. */
  pageNumberAt(index: number): number {
    return pageNumbersAt(this.number) + index * WORD_BYTES
  }
}
