/**
 * Writes LTX v3 files: one transaction in one call, or a snapshot of any size piece by piece. The output is a function of the
 * input alone, so equal pages give an equal file. FORMAT.md has the layout.
 */
import { assert } from '../errors.ts'
import { SEGMENT_BYTES_MAX, SEGMENT_PAGES_BYTES_MAX } from '../limits.ts'
import { Crc64 } from './crc64.ts'
import type { DatabasePage } from './database-pages.ts'
import {
  END_OF_PAGES,
  FILE_CHECKSUM_AT,
  FILE_CHECKSUM_FLAG_HIGH,
  FRAME_PREFIX_BYTES,
  PAGE_FLAGS_AT,
  PAGE_FLAG_BLOCK,
  PAGE_HEADER_BYTES,
  TRAILER_BYTES,
  frameBytesMax,
} from './frame.ts'
import { HEADER_BYTES, type SegmentFields, encodeHeader } from './header.ts'
import { compressBlock } from './lz4.ts'
import { PageIndex } from './page-index.ts'
import { PageOrder } from './page-order.ts'

/** The method that must be called next. */
type EncoderState = 'header' | 'pages' | 'finished'

/**
 * Encodes one transaction, or a few merged, as a whole file. `pages` ascend by number; `data` is read, not kept. Their total
 * size is at most SEGMENT_PAGES_BYTES_MAX, as in `decodeSegment`; use `SegmentEncoder` for more.
 */
export function encodeSegment(fields: SegmentFields, pages: readonly DatabasePage[]): Buffer {
  assert(pages.length * fields.pageSize <= SEGMENT_PAGES_BYTES_MAX, 'the pages of a segment fit into its limit')
  const encoder = new SegmentEncoder(fields)
  const framesMax = pages.length * frameBytesMax(fields.pageSize)
  const restMax = END_OF_PAGES.length + PageIndex.bytesMax(pages.length) + TRAILER_BYTES
  const out = Buffer.allocUnsafeSlow(HEADER_BYTES + framesMax + restMax)
  let end = encoder.headerInto(out, 0)
  for (const { pgno, data } of pages) end = encoder.pageInto(pgno, data, out, end)
  end = encoder.finishInto(out, end)
  assert(end <= SEGMENT_BYTES_MAX, 'a segment that its own reader would refuse')
  return withoutSlack(out, end)
}

/** Copies a well compressed segment: segments wait in queues, and must not keep a buffer of more than twice their size. */
function withoutSlack(out: Buffer, length: number): Buffer {
  if (length * 2 >= out.length) return out.subarray(0, length)
  const bytes = Buffer.allocUnsafeSlow(length)
  out.copy(bytes, 0, 0, length)
  return bytes
}

/**
 * Writes a file piece by piece: `header`, then `page` for each page in ascending order, then `finish`. Each call returns the
 * next bytes of the file. A call out of order, or a page that the format forbids, fails an assertion. Memory: an index entry a
 * page, about ten bytes. The `…Into` forms write into the caller's buffer and return the offset of its first free byte.
 */
export class SegmentEncoder {
  readonly #fields: SegmentFields
  readonly #order: PageOrder
  readonly #index = new PageIndex()
  readonly #crc = new Crc64()
  #state: EncoderState = 'header'
  /** Number of bytes encoded so far. */
  #offset = 0

  constructor(fields: SegmentFields) {
    this.#fields = fields
    this.#order = new PageOrder(fields)
  }

  header(): Buffer {
    const out = Buffer.allocUnsafe(HEADER_BYTES)
    return out.subarray(0, this.headerInto(out, 0))
  }

  page(pgno: number, data: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(frameBytesMax(this.#fields.pageSize))
    return out.subarray(0, this.pageInto(pgno, data, out, 0))
  }

  finish(): Buffer {
    const index = this.#finishPages()
    const out = Buffer.allocUnsafe(END_OF_PAGES.length + index.length + TRAILER_BYTES)
    return out.subarray(0, this.#endInto(index, out, 0))
  }

  headerInto(out: Buffer, at: number): number {
    this.#enter('header', 'pages')
    const end = encodeHeader(this.#fields, out, at)
    this.#crc.update(out, at, end)
    this.#offset = HEADER_BYTES
    return end
  }

  /** `out` must have `frameBytesMax` of the page size free from `at`. */
  pageInto(pgno: number, data: Uint8Array, out: Buffer, at: number): number {
    this.#enter('pages', 'pages')
    const problem = data.length === this.#fields.pageSize ? this.#order.take(pgno) : 'not a whole page'
    assert(problem === undefined, `segment page: ${problem}`)
    const block = at + FRAME_PREFIX_BYTES
    const end = compressBlock(data, out, block)
    out.writeUInt32BE(pgno, at)
    out.writeUInt16BE(PAGE_FLAG_BLOCK, at + PAGE_FLAGS_AT)
    out.writeUInt32BE(end - block, at + PAGE_HEADER_BYTES)
    // The file checksum covers the unpacked page, so it does not depend on the compressor.
    this.#crc.update(out, at, block).update(data)
    this.#index.add(pgno, this.#offset, end - at)
    this.#offset += end - at
    return end
  }

  /** `out` must have room for the end mark, `PageIndex.bytesMax` and the trailer from `at`. */
  finishInto(out: Buffer, at: number): number {
    return this.#endInto(this.#finishPages(), out, at)
  }

  #finishPages(): Buffer {
    this.#enter('pages', 'finished')
    const problem = this.#order.end()
    assert(problem === undefined, `segment: ${problem}`)
    return this.#index.finish()
  }

  #endInto(index: Buffer, out: Buffer, at: number): number {
    let trailer = at + END_OF_PAGES.copy(out, at)
    trailer += index.copy(out, trailer)
    const checksum = trailer + FILE_CHECKSUM_AT
    out.fill(0, trailer, checksum)
    this.#crc.update(out, at, checksum)
    out.writeUInt32BE((this.#crc.hi | FILE_CHECKSUM_FLAG_HIGH) >>> 0, checksum)
    out.writeUInt32BE(this.#crc.lo, checksum + 4)
    return trailer + TRAILER_BYTES
  }

  #enter(expected: EncoderState, next: EncoderState): void {
    assert(this.#state === expected, `segment encoder: ${expected} was called while ${this.#state} is due`)
    this.#state = next
  }
}
