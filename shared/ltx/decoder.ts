/**
 * Reads LTX v3 files from untrusted sources. Every byte is checked, and no field of a file makes the decoder allocate more than
 * a fixed limit. FORMAT.md has the layout.
 */
import { assert } from '../errors.ts'
import { SEGMENT_BYTES_MAX, SEGMENT_PAGES_BYTES_MAX } from '../limits.ts'
import { decodeHeader, HEADER_BYTES, segmentCorrupt, type SegmentHeader } from './header.ts'
import { Crc64, type U64 } from './crc64.ts'
import type { DatabasePage } from './database-pages.ts'
import {
  BLOCK_LENGTH_BYTES,
  FILE_CHECKSUM_AT,
  FILE_CHECKSUM_FLAG_HIGH,
  FRAME_PREFIX_BYTES,
  PAGE_FLAGS_AT,
  PAGE_FLAG_BLOCK,
  PAGE_HEADER_BYTES,
  TRAILER_BYTES,
  frameBytesMax,
} from './frame.ts'
import { blockBytesMax, decompressBlock } from './lz4.ts'
import { PageIndex } from './page-index.ts'
import { PageOrder } from './page-order.ts'

/** A whole file, with every byte checked. */
export interface Segment {
  readonly header: SegmentHeader
  /** Ascending by page number. */
  readonly pages: readonly DatabasePage[]
}

/** Receives each page. The callee may keep `data`. `crc` is the CRC-64 of the page alone, valid until the next page. */
export type PageSink = (pgno: number, data: Buffer, header: SegmentHeader, crc: U64) => void

/** Receives each page as its LZ4 block, which is valid until this returns. */
export type BlockSink = (pgno: number, block: Buffer) => void

/** Returns the buffer that a page is unpacked into, exactly one page long. Its old content is not read. */
export type PageBuffer = (pgno: number, pageSize: number) => Buffer

/** The kind of the next bytes of the file. */
type Part = 'header' | 'page header' | 'block length' | 'block' | 'page index' | 'trailer' | 'end'

/** Decodes a whole file in memory. Throws segment_corrupt unless every byte is right. */
export function decodeSegment(bytes: Buffer): Segment {
  if (bytes.length > SEGMENT_BYTES_MAX) throw segmentCorrupt(`more than ${SEGMENT_BYTES_MAX} bytes`, SEGMENT_BYTES_MAX)
  const pages: DatabasePage[] = []
  const decoder = new SegmentDecoder((pgno, data, { pageSize }) => {
    // A page can compress by a factor of 250, so without this limit a small file could unpack to gigabytes.
    if ((pages.length + 1) * pageSize > SEGMENT_PAGES_BYTES_MAX) {
      throw segmentCorrupt(`pages of more than ${SEGMENT_PAGES_BYTES_MAX} bytes`, decoder.offset)
    }
    pages.push({ pgno, data })
  })
  decoder.write(bytes)
  return { header: decoder.finish(), pages }
}

/**
 * Hands out the pages of a file without unpacking them. Only for bytes that match a signed hash: every part is checked except
 * the file checksum, which covers the unpacked pages. Throws segment_corrupt.
 */
export function readBlocks(bytes: Buffer, onBlock: BlockSink): SegmentHeader {
  if (bytes.length > SEGMENT_BYTES_MAX) throw segmentCorrupt(`more than ${SEGMENT_BYTES_MAX} bytes`, SEGMENT_BYTES_MAX)
  const decoder = new SegmentDecoder(() => undefined, freshPage, onBlock)
  decoder.write(bytes)
  return decoder.finish()
}

/** Uninitialised memory is safe: unpacking writes every byte or refuses the page. */
function freshPage(_: number, pageSize: number): Buffer {
  return Buffer.allocUnsafeSlow(pageSize)
}

/**
 * Reads a file of any size from chunks of any size. **Pages are handed out before the file checksum is known**, so the caller
 * must undo its work on them unless `finish` returns. Memory: one frame, and an index entry a page (about ten bytes). Every
 * error is segment_corrupt, and the decoder cannot be used after it.
 */
export class SegmentDecoder {
  readonly #onPage: PageSink
  readonly #bufferFor: PageBuffer
  /** If set, nothing is unpacked. */
  readonly #onBlock: BlockSink | undefined
  readonly #index = new PageIndex()
  readonly #crc = new Crc64()
  readonly #pageCrc = new Crc64()
  #part: Part | 'failed' = 'header'
  /** Length of the current part in bytes. A part is parsed once it is complete. */
  #need: number = HEADER_BYTES
  /** The first bytes of a part that continues in the next chunk. */
  #carry: Buffer = Buffer.alloc(0)
  #carried = 0
  #offset = 0
  /** The header and the rules that follow from it for the pages; undefined before the header was read. */
  #opened: { readonly header: SegmentHeader; readonly order: PageOrder } | undefined
  #pgno = 0
  /** The only index that fits the pages; known once the pages have ended. */
  #expectedIndex: Buffer = this.#carry
  #indexAt = 0

  constructor(onPage: PageSink, room: PageBuffer = freshPage, onBlock?: BlockSink) {
    this.#onPage = onPage
    this.#bufferFor = room
    this.#onBlock = onBlock
  }

  /** Number of bytes that were read and found correct. */
  get offset(): number {
    return this.#offset
  }

  /** The header, or undefined before it was read. The file checksum covers it, so it is verified only after `finish`. */
  get header(): SegmentHeader | undefined {
    return this.#opened?.header
  }

  /** Takes the next bytes of the file. It keeps no reference to them. */
  write(chunk: Buffer): void {
    assert(this.#part !== 'failed', 'a decoder ends with its first error')
    try {
      for (let at = 0; at < chunk.length;) at = this.#take(chunk, at)
    } catch (error) {
      this.#part = 'failed'
      throw error
    }
  }

  /** Call at the end of the file. Throws segment_corrupt if the file is incomplete. */
  finish(): SegmentHeader {
    assert(this.#part !== 'failed', 'a decoder ends with its first error')
    if (this.#part !== 'end') throw segmentCorrupt(`it ends inside the ${this.#part}`, this.#offset + this.#carried)
    return this.#requireOpened().header
  }

  /** Reads one part, or as much of it as the chunk has. Returns the index of the first unused byte of the chunk. */
  #take(chunk: Buffer, at: number): number {
    if (this.#part === 'end') throw segmentCorrupt('bytes after the trailer', this.#offset)
    if (this.#part === 'page index') return this.#takeIndex(chunk, at)
    const missing = this.#need - this.#carried
    if (this.#carried === 0 && chunk.length - at >= missing) {
      this.#read(chunk, at)
      return at + missing
    }
    const used = Math.min(missing, chunk.length - at)
    if (this.#carry.length < this.#need) this.#growCarry()
    chunk.copy(this.#carry, this.#carried, at, at + used)
    this.#carried += used
    if (this.#carried === this.#need) {
      this.#carried = 0
      this.#read(this.#carry, 0)
    }
    return at + used
  }

  /** Allocates for the largest possible part of this file. Only called while nothing is carried. */
  #growCarry(): void {
    this.#carry = Buffer.alloc(this.#opened === undefined ? HEADER_BYTES : frameBytesMax(this.#opened.header.pageSize))
  }

  /** The part is `bytes[at, at + #need)`. For most parts a subarray would cost more than parsing them. */
  #read(bytes: Buffer, at: number): void {
    const length = this.#need
    if (this.#part === 'block') this.#readBlock(bytes.subarray(at, at + length))
    else if (this.#part === 'page header') this.#readPageHeader(bytes, at)
    else if (this.#part === 'block length') this.#readBlockLength(bytes, at)
    else if (this.#part === 'header') this.#readHeader(bytes.subarray(at, at + length))
    else this.#readTrailer(bytes, at)
    this.#offset += length
  }

  #expect(part: Part, bytes: number): void {
    this.#part = part
    this.#need = bytes
  }

  #readHeader(bytes: Buffer): void {
    const header = decodeHeader(bytes)
    this.#opened = { header, order: new PageOrder(header) }
    this.#crc.update(bytes)
    this.#expect('page header', PAGE_HEADER_BYTES)
  }

  #readPageHeader(bytes: Buffer, at: number): void {
    this.#crc.update(bytes, at, at + PAGE_HEADER_BYTES)
    this.#pgno = bytes.readUInt32BE(at)
    const flags = bytes.readUInt16BE(at + PAGE_FLAGS_AT)
    if (this.#pgno === 0 && flags === 0) return this.#endPages()
    if (this.#pgno === 0) throw segmentCorrupt('pages are numbered from 1', this.#offset)
    if (flags === 0) {
      throw segmentCorrupt('an LZ4 frame page, as litestream wrote before 0.5.16: not supported', this.#offset)
    }
    if (flags !== PAGE_FLAG_BLOCK) throw segmentCorrupt(`page flags 0x${flags.toString(16)}`, this.#offset)
    const problem = this.#requireOpened().order.take(this.#pgno)
    if (problem !== undefined) throw segmentCorrupt(problem, this.#offset)
    this.#expect('block length', BLOCK_LENGTH_BYTES)
  }

  #readBlockLength(bytes: Buffer, at: number): void {
    this.#crc.update(bytes, at, at + BLOCK_LENGTH_BYTES)
    const length = bytes.readUInt32BE(at)
    if (length === 0 || length > blockBytesMax(this.#requireOpened().header.pageSize)) {
      throw segmentCorrupt(`page ${this.#pgno} in a block of ${length} bytes`, this.#offset)
    }
    this.#index.add(this.#pgno, this.#offset - PAGE_HEADER_BYTES, FRAME_PREFIX_BYTES + length)
    this.#expect('block', length)
  }

  #readBlock(block: Buffer): void {
    this.#expect('page header', PAGE_HEADER_BYTES)
    if (this.#onBlock !== undefined) return this.#onBlock(this.#pgno, block)
    const { header } = this.#requireOpened()
    const page = this.#bufferFor(this.#pgno, header.pageSize)
    assert(page.length === header.pageSize, 'room for exactly one page')
    if (!decompressBlock(block, page)) {
      throw segmentCorrupt(`page ${this.#pgno} is not an LZ4 block of ${page.length} bytes`, this.#offset)
    }
    // The receiver needs the CRC of the page too, and one pass over the bytes gives both.
    this.#pageCrc.reset().update(page)
    this.#crc.append(this.#pageCrc, page.length)
    this.#onPage(this.#pgno, page, header, this.#pageCrc)
  }

  #endPages(): void {
    const problem = this.#requireOpened().order.end()
    if (problem !== undefined) throw segmentCorrupt(problem, this.#offset)
    this.#expectedIndex = this.#index.finish()
    this.#crc.update(this.#expectedIndex)
    this.#expect('page index', this.#expectedIndex.length)
  }

  /** Compares the index chunk by chunk, because the index of a large snapshot has megabytes. */
  #takeIndex(chunk: Buffer, at: number): number {
    const used = Math.min(this.#need - this.#indexAt, chunk.length - at)
    const order = chunk.compare(this.#expectedIndex, this.#indexAt, this.#indexAt + used, at, at + used)
    if (order !== 0) throw segmentCorrupt('the page index does not match the pages', this.#offset)
    this.#indexAt += used
    this.#offset += used
    if (this.#indexAt === this.#need) this.#expect('trailer', TRAILER_BYTES)
    return at + used
  }

  #readTrailer(bytes: Buffer, at: number): void {
    const sumAt = at + FILE_CHECKSUM_AT
    const hi = (this.#crc.update(bytes, at, sumAt).hi | FILE_CHECKSUM_FLAG_HIGH) >>> 0
    if (bytes.readUInt32BE(at) !== 0 || bytes.readUInt32BE(at + 4) !== 0) {
      throw segmentCorrupt('a post-apply checksum, although the header flag excludes it', this.#offset)
    }
    const isRight = bytes.readUInt32BE(sumAt) === hi && bytes.readUInt32BE(sumAt + 4) === this.#crc.lo
    if (this.#onBlock === undefined && !isRight) {
      throw segmentCorrupt('the file checksum does not match the bytes', this.#offset + FILE_CHECKSUM_AT)
    }
    this.#expect('end', 0)
  }

  #requireOpened(): { readonly header: SegmentHeader; readonly order: PageOrder } {
    assert(this.#opened !== undefined, 'the header comes first')
    return this.#opened
  }
}
