import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Txid } from '../../../shared/ids.ts'
import type { DatabasePage } from '../../../shared/ltx/database-pages.ts'
import { lockPage } from '../../../shared/ltx/database-pages.ts'
import { SegmentDecoder } from '../../../shared/ltx/decoder.ts'
import { SegmentEncoder, encodeSegment } from '../../../shared/ltx/encoder.ts'
import { PageOrder } from '../../../shared/ltx/page-order.ts'
import { EMPTY_CHECKSUM } from '../../../shared/ltx/rolling-checksum.ts'
import { FIELDS, LOCK_PAGE, PAGE_SIZE, type SegmentInput, segmentArbitrary } from './arbitraries.ts'

const PAGE = Buffer.alloc(PAGE_SIZE, 'page')
const SNAPSHOT = { ...FIELDS, minTxid: 1 as Txid, preApply: EMPTY_CHECKSUM }

function encodeByPieces({ fields, pages }: SegmentInput): Buffer {
  const encoder = new SegmentEncoder(fields)
  return Buffer.concat([encoder.header(), ...pages.map(({ pgno, data }) => encoder.page(pgno, data)), encoder.finish()])
}

function decodeChunks(chunks: Iterable<Buffer>) {
  const pages: DatabasePage[] = []
  const decoder = new SegmentDecoder((pgno, data) => pages.push({ pgno, data }))
  for (const chunk of chunks) decoder.write(chunk)
  return { header: decoder.finish(), pages }
}

function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!
    // Its own memory, overwritten when the next one is asked for: a decoder must not keep chunks.
    const chunk = Buffer.from(bytes.subarray(at, at + size))
    yield chunk
    chunk.fill(0xee)
    at += size
  }
}

describe('writing piece by piece', () => {
  test('gives the same file as writing at once', () => {
    fc.assert(
      fc.property(segmentArbitrary, (input) => {
        expect(encodeByPieces(input).equals(encodeSegment(input.fields, input.pages))).toBe(true)
      }),
    )
  })

  test('refuses calls out of order', () => {
    expect(() => new SegmentEncoder(FIELDS).page(1, PAGE)).toThrow('while header is due')
    expect(() => new SegmentEncoder(FIELDS).finish()).toThrow('while header is due')
    const encoder = new SegmentEncoder(FIELDS)
    encoder.header()
    expect(() => encoder.header()).toThrow('while pages is due')
    encoder.finish()
    expect(() => encoder.finish()).toThrow('while finished is due')
    expect(() => encoder.page(1, PAGE)).toThrow('while finished is due')
  })

  test('refuses a snapshot with a page left out, or with too few', () => {
    const encoder = new SegmentEncoder(SNAPSHOT)
    encoder.header()
    encoder.page(1, PAGE)
    expect(() => encoder.page(3, PAGE)).toThrow('page 3 of a snapshot where 2 is due')
    expect(() => encoder.finish()).toThrow('a snapshot of 3 pages without page 2')
  })

  test('refuses the lock page', () => {
    const encoder = new SegmentEncoder({ ...FIELDS, commit: LOCK_PAGE + 1 })
    encoder.header()
    encoder.page(LOCK_PAGE - 1, PAGE)
    expect(() => encoder.page(LOCK_PAGE, PAGE)).toThrow('is the lock page')
    encoder.page(LOCK_PAGE + 1, PAGE)
  })
})

describe('the order of pages', () => {
  test('puts the lock page where SQLite locks, for every page size', () => {
    expect([512, 1024, 4096, 65_536].map(lockPage)).toEqual([2_097_153, 1_048_577, 262_145, 16_385])
  })

  test('of a snapshot skips the lock page and nothing else', () => {
    const order = new PageOrder({ ...SNAPSHOT, commit: LOCK_PAGE + 1 })
    let refused = 0
    for (let pgno = 1; pgno < LOCK_PAGE; pgno += 1) if (order.take(pgno) !== undefined) refused += 1
    expect(refused).toBe(0)
    expect(order.end()).toBe(`a snapshot of ${LOCK_PAGE + 1} pages without page ${LOCK_PAGE + 1}`)
    expect(order.take(LOCK_PAGE)).toContain('lock page')
    expect(order.take(LOCK_PAGE + 1)).toBeUndefined()
    expect(order.end()).toBeUndefined()
  })

  test('of a snapshot that ends with the lock page is complete without it', () => {
    const order = new PageOrder({ ...SNAPSHOT, pageSize: 65_536, commit: 16_385 })
    for (let pgno = 1; pgno < 16_385; pgno += 1) order.take(pgno)
    expect(order.end()).toBeUndefined()
  })
})

describe('reading chunk by chunk', () => {
  test('gives the same as reading at once, however the file is cut', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(segmentArbitrary, sizes, ({ fields, pages }, chunkSizes) => {
        const chunks = cut(encodeSegment(fields, pages), chunkSizes)
        expect(decodeChunks(chunks)).toEqual({ header: { ...fields, flags: 2 }, pages })
      }),
    )
  })

  test('works for each single place a file can be cut at', () => {
    const pages = [1, 3].map((pgno) => ({ pgno, data: PAGE }))
    const bytes = encodeSegment(FIELDS, pages)
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(decodeChunks([bytes.subarray(0, at), bytes.subarray(at)]).pages).toEqual(pages)
    }
  })

  test('hands pages out before the end, with the header they belong to, and knows how far it is', () => {
    const bytes = encodeSegment(FIELDS, [{ pgno: 1, data: PAGE }])
    const seen: unknown[] = []
    const decoder = new SegmentDecoder((pgno, data, header) => seen.push([pgno, data, header.commit]))
    expect(decoder.header).toBeUndefined()
    decoder.write(bytes.subarray(0, bytes.length - 1))
    expect(seen).toEqual([[1, PAGE, 3]])
    expect(decoder.header?.maxTxid).toBe(5)
    expect(decoder.offset).toBe(bytes.length - 16)
    expect(() => decoder.finish()).toThrow(`it ends inside the trailer (at byte ${bytes.length - 1})`)
  })

  test('refuses bytes after the end, in the same chunk or a later one', () => {
    const bytes = encodeSegment(FIELDS, [])
    expect(() => decodeChunks([Buffer.concat([bytes, Buffer.alloc(1)])])).toThrow('bytes after the trailer')
    expect(() => decodeChunks([bytes, Buffer.alloc(1)])).toThrow('bytes after the trailer')
    expect(decodeChunks([Buffer.alloc(0), bytes, Buffer.alloc(0)]).pages).toEqual([])
  })

  test('ends with its first error', () => {
    const decoder = new SegmentDecoder(() => {})
    expect(() => decoder.write(Buffer.alloc(100))).toThrow('LTX1')
    expect(() => decoder.write(Buffer.alloc(1))).toThrow('first error')
    expect(() => decoder.finish()).toThrow('first error')
  })
})
