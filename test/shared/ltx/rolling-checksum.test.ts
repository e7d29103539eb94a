import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { checksumText } from '../../../shared/ids.ts'
import { crc64 } from '../../../shared/ltx/crc64.ts'
import { lockPage } from '../../../shared/ltx/database-pages.ts'
import { EMPTY_CHECKSUM, PageChecksums, pageChecksum } from '../../../shared/ltx/rolling-checksum.ts'
import vectors from '../../vectors/ltx/go-ltx-0.5.2.json' with { type: 'json' }
import { PAGE_SIZE, pageArbitrary } from './arbitraries.ts'

const page = (fill: number): Buffer => Buffer.alloc(PAGE_SIZE, fill)

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function checksumsOf(pages: readonly Buffer[]): PageChecksums {
  const checksums = new PageChecksums(PAGE_SIZE)
  for (const [index, data] of pages.entries()) checksums.set(index + 1, data)
  return checksums
}

/** FORMAT.md, word for word, in bigints. */
function scattered(sum: bigint): bigint {
  const mask = 0xffffffffn
  const f = (x: bigint, k: bigint): bigint => {
    let m = ((x ^ k) * 0x85ebca6bn) & mask
    m = ((m ^ (m >> 13n)) * 0xc2b2ae35n) & mask
    return m ^ (m >> 16n)
  }
  let [hi, lo] = [sum >> 32n, sum & mask]
  lo ^= f(hi, 0x243f6a88n)
  hi ^= f(lo, 0x85a308d3n)
  lo ^= f(hi, 0x13198a2en)
  return (hi << 32n) | lo
}

describe('the rolling checksum', () => {
  test('of a page is the one that the Go library computes', () => {
    const pages = vectors.pages.map((hex) => Buffer.from(hex, 'hex'))
    expect(pages.map((data, index) => checksumText(pageChecksum(index + 1, data)))).toEqual(vectors.pageChecksums)
  })

  test('of a database is what FORMAT.md says, computed another way', () => {
    const pages = vectors.pages.map((hex) => Buffer.from(hex, 'hex'))
    const sums = pages.map((data, index) => scattered(crc64(Buffer.concat([uint32(index + 1), data]))))
    const expected = sums.reduce((xor, sum) => xor ^ sum, 0n) | (1n << 63n)
    expect(checksumsOf(pages).checksum).toBe(expected)
  })

  test('changes when two pages are exchanged, and when two pages change alike', () => {
    const [a, b] = [page(1), page(2)]
    expect(checksumsOf([b, a]).checksum).not.toBe(checksumsOf([a, b]).checksum)
    const alike = [page(1), page(2)]
    for (const data of alike) data[100]! ^= 0x40
    expect(checksumsOf(alike).checksum).not.toBe(checksumsOf([a, b]).checksum)
  })

  test('of a database without pages is bit 63 alone', () => {
    expect(new PageChecksums(PAGE_SIZE).checksum).toBe(EMPTY_CHECKSUM)
    expect(checksumText(EMPTY_CHECKSUM)).toBe('8000000000000000')
  })

  test('after any history of segments is that of a database read from its start', () => {
    const change = fc.record({
      pages: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 12 }), pageArbitrary), { selector: ([pgno]) => pgno }),
      commit: fc.integer({ min: 0, max: 12 }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (history) => {
        const checksums = new PageChecksums(PAGE_SIZE)
        const database: Buffer[] = []
        for (const { pages, commit } of history) {
          const written = new Map(pages.filter(([pgno]) => pgno <= commit))
          for (let pgno = database.length + 1; pgno <= commit; pgno += 1) {
            if (!written.has(pgno)) written.set(pgno, page(pgno))
          }
          const ascending = [...written].map(([pgno, data]) => ({ pgno, data })).toSorted((a, b) => a.pgno - b.pgno)
          const before = checksums.checksum
          const preview = checksums.preview(ascending, commit)
          expect(checksums.checksum).toBe(before)

          for (const [pgno, data] of written) database[pgno - 1] = data
          database.length = commit
          expect(checksums.apply(preview)).toBe(checksumsOf(database).checksum)
          expect(checksums.checksum).toBe(preview.checksum)
          expect(checksums.pageCount).toBe(commit)
        }
      }),
    )
  })

  test('changes with any one bit of any page', () => {
    const checksums = checksumsOf([page(1), page(2)])
    fc.assert(
      fc.property(fc.constantFrom(1, 2), fc.nat(PAGE_SIZE - 1), fc.nat(7), (pgno, at, bit) => {
        const data = page(pgno)
        data[at]! ^= 1 << bit
        expect(checksums.preview([{ pgno, data }], 2).checksum).not.toBe(checksums.checksum)
      }),
    )
  })

  test('forgets the pages that a shorter database no longer has', () => {
    const checksums = checksumsOf([page(1), page(2), page(3)])
    checksums.truncate(1)
    expect(checksums.checksum).toBe(checksumsOf([page(1)]).checksum)
    checksums.set(2, page(9))
    expect(checksums.checksum).toBe(checksumsOf([page(1), page(9)]).checksum)
  })

  test('leaves the lock page out, given or skipped', () => {
    const pageSize = 65_536
    const lock = lockPage(pageSize)
    const [given, skipped] = [new PageChecksums(pageSize), new PageChecksums(pageSize)]
    const blank = Buffer.alloc(pageSize)
    const noise = Buffer.alloc(pageSize, 'lock')
    for (const checksums of [given, skipped]) {
      const pages = Array.from({ length: lock - 1 }, (_, index) => ({ pgno: index + 1, data: blank }))
      checksums.apply(checksums.preview(pages, lock - 1))
    }
    const before = given.checksum
    given.set(lock, noise)
    expect(given.checksum).toBe(before)
    given.set(lock + 1, blank)
    const preview = skipped.preview([{ pgno: lock + 1, data: blank }], lock + 1)
    skipped.set(lock + 1, blank)
    expect(skipped.checksum).toBe(given.checksum)
    expect(preview.checksum).toBe(given.checksum)
  })

  test('refuses a segment that grows the database by pages it does not bring', () => {
    const checksums = checksumsOf([page(1)])
    const grow = (): unknown => checksums.preview([{ pgno: 4_000_000_000, data: page(1) }], 4_000_000_000)
    expect(grow).toThrow(MacaroondError)
    expect(grow).toThrow('3999999997 of them are missing')
    expect(checksums.pageCount).toBe(1)
  })

  test('refuses to apply a change to another state than it was computed from', () => {
    const checksums = checksumsOf([page(1)])
    const change = checksums.preview([{ pgno: 1, data: page(2) }], 1)
    checksums.set(1, page(3))
    expect(() => checksums.apply(change)).toThrow('computed from')
  })

  test('refuses gaps, and pages of another size', () => {
    const checksums = checksumsOf([page(1)])
    expect(() => checksums.set(3, page(3))).toThrow('without gaps')
    expect(() => checksums.set(0, page(3))).toThrow('without gaps')
    expect(() => checksums.set(2, Buffer.alloc(100))).toThrow('whole page')
    expect(() => checksums.truncate(2)).toThrow('does not grow')
  })
})
