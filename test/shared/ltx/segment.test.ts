import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { SEGMENT_BYTES_MAX, SEGMENT_PAGES_BYTES_MAX } from '../../../shared/limits.ts'
import type { Txid } from '../../../shared/ids.ts'
import { type Segment, decodeSegment } from '../../../shared/ltx/decoder.ts'
import { encodeSegment } from '../../../shared/ltx/encoder.ts'
import { EMPTY_CHECKSUM } from '../../../shared/ltx/rolling-checksum.ts'
import vectors from '../../vectors/ltx/go-ltx-0.5.2.json' with { type: 'json' }
import { FIELDS, PAGE_SIZE, segmentArbitrary } from './arbitraries.ts'

/** A whole file, assembled by hand after FORMAT.md: page 2 of a database of three, full of the letter A. */
const FILE = Buffer.from(
  [
    '4c545831', // LTX1
    '00000002', // no checksums in the standard fields
    '00000200', // page size 512
    '00000003', // three pages
    '0000000000000005', // first transaction
    '0000000000000005', // last transaction
    '0000018bcfe5687b', // 2023-11-14T22:13:20.123Z
    '0000000000000000', // standard pre-apply checksum: none
    '0000000000000020', // WAL offset 32
    '0000000000000218', // WAL size 536
    '11223344', // WAL salts
    '55667788',
    '0000000000000000', // node
    '00000007', // epoch
    '8123456789abcdef', // pre-apply checksum
    'fedcba9876543210', // post-apply checksum
    '00000002' + '0001' + '0000000c', // page 2, LZ4 block of 12 bytes
    '1f41' + '0100' + 'ffe8', // one A, then 506 bytes from offset 1
    '504141414141', // and five more
    '000000000000', // end of pages
    '02' + '64' + '16', // page 2 is at byte 100, 22 bytes long
    '00' + '0000000000000004', // end and size of the index
    '0000000000000000', // standard post-apply checksum: none
    'ce98150c02cf2e2f', // file checksum
  ].join(''),
  'hex',
)
const BLOCK = { start: 110, end: 122 }
const PAGES = [{ pgno: 2, data: Buffer.alloc(PAGE_SIZE, 'A') }]

function refusalOf(bytes: Buffer): MacaroondError | Segment {
  try {
    return decodeSegment(bytes)
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'segment_corrupt') return error
    throw error
  }
}

describe('a segment', () => {
  test('is written byte for byte as the specification says', () => {
    expect(encodeSegment(FIELDS, PAGES).toString('hex')).toBe(FILE.toString('hex'))
  })

  test('is read as the specification says', () => {
    expect(decodeSegment(FILE)).toEqual({ header: { ...FIELDS, flags: 2 }, pages: PAGES })
  })

  test('comes back as it went in, whatever it holds', () => {
    fc.assert(
      fc.property(segmentArbitrary, ({ fields, pages }) => {
        expect(decodeSegment(encodeSegment(fields, pages))).toEqual({ header: { ...fields, flags: 2 }, pages })
      }),
    )
  })

  test('may delete a whole database: no pages, the checksum of nothing', () => {
    const fields = { ...FIELDS, commit: 0, postApply: EMPTY_CHECKSUM }
    expect(decodeSegment(encodeSegment(fields, []))).toEqual({ header: { ...fields, flags: 2 }, pages: [] })
  })

  test('keeps no hold on the pages it was made from, and decoded pages none on the file', () => {
    const source = Buffer.alloc(PAGE_SIZE, 'A')
    const bytes = encodeSegment(FIELDS, [{ pgno: 2, data: source }])
    source.fill(0)
    const { pages } = decodeSegment(bytes)
    bytes.fill(0)
    expect(pages).toEqual(PAGES)
  })

  test('that compressed well does not hold the memory it did not need', () => {
    const pages = Array.from({ length: 100 }, (_, index) => ({ pgno: index + 1, data: Buffer.alloc(PAGE_SIZE) }))
    const bytes = encodeSegment({ ...FIELDS, commit: 100 }, pages)
    expect(bytes.buffer.byteLength).toBeLessThanOrEqual(2 * bytes.length + 8192)
  })
})

describe('files of the Go library that litestream uses', () => {
  const pages = vectors.pages.map((hex) => Buffer.from(hex, 'hex'))

  test('are read: a snapshot', () => {
    const { header, pages: read } = decodeSegment(Buffer.from(vectors.snapshot, 'hex'))
    expect(read.map(({ pgno }) => pgno)).toEqual([1, 2, 3])
    expect(read.map(({ data }) => data)).toEqual(pages)
    expect(header).toMatchObject({ commit: 3, minTxid: 1, maxTxid: 4, timestampMs: 1_700_000_000_123, walOffset: 0 })
  })

  test('are read: a segment, with no epoch and no checksums of ours in it', () => {
    const { header, pages: read } = decodeSegment(Buffer.from(vectors.segment, 'hex'))
    expect(read).toEqual([
      { pgno: 2, data: pages[2] },
      { pgno: 4, data: pages[0] },
    ])
    expect(header).toMatchObject({ walOffset: 32, walSize: 536, walSalt1: 0xaabbccdd, walSalt2: 1 })
    expect([header.epoch, header.preApply, header.postApply]).toEqual([undefined, undefined, undefined])
  })
})

describe('a damaged segment', () => {
  test('is refused for every other value of every single byte', () => {
    for (let offset = 0; offset < FILE.length; offset += 1) {
      for (let difference = 1; difference < 256; difference += 1) {
        const damaged = Buffer.from(FILE)
        damaged[offset]! ^= difference
        expect(refusalOf(damaged), `byte ${offset} ^ ${difference}`).toBeInstanceOf(MacaroondError)
      }
    }
  })

  test('is refused, or at most another spelling of a block for the very same pages', () => {
    fc.assert(
      fc.property(segmentArbitrary, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ fields, pages }, at, difference) => {
        const damaged = encodeSegment(fields, pages)
        damaged[at % damaged.length]! ^= difference
        const result = refusalOf(damaged)
        const unharmed = { header: { ...fields, flags: 2 }, pages }
        expect(result instanceof MacaroondError ? unharmed : result).toEqual(unharmed)
      }),
      { numRuns: 1000 },
    )
  })

  test('is refused when it is cut short anywhere', () => {
    for (let length = 0; length < FILE.length; length += 1) {
      expect(refusalOf(FILE.subarray(0, length)), `${length} bytes`).toBeInstanceOf(MacaroondError)
    }
  })

  test('is refused when anything follows it', () => {
    expect(() => decodeSegment(Buffer.concat([FILE, Buffer.alloc(1)]))).toThrow('bytes after the trailer')
  })

  test('is refused with the place where it is wrong', () => {
    const damaged = Buffer.from(FILE)
    damaged[BLOCK.start + 2] = 2
    expect(() => decodeSegment(damaged)).toThrow('page 2 is not an LZ4 block of 512 bytes (at byte 110)')
  })
})

describe('bytes from an attacker', () => {
  /** The file with `hex` at `offset`: what is wrong comes before any checksum. */
  function patched(offset: number, hex: string): Buffer {
    const bytes = Buffer.from(FILE)
    Buffer.from(hex, 'hex').copy(bytes, offset)
    return bytes
  }

  test.each([
    ['another magic', 0, '4c545832', 'LTX1'],
    ['rolling checksums in the standard fields', 4, '00000000', 'header flags 0x0'],
    ['an unknown header flag', 4, '00000003', 'header flags 0x3'],
    ['a page size that is no power of two', 8, '00000201', 'not a page size'],
    ['a page size above 64 KiB', 8, '00020000', 'not a page size'],
    ['fewer pages than it holds', 12, '00000001', 'page 2 of a database of 1 pages'],
    ['transaction zero', 16, '0000000000000000', 'numbered from 1'],
    ['a transaction beyond 2^53', 24, '0020000000000000', 'beyond 2^53'],
    ['transactions back to front', 16, '0000000000000006', 'comes before the first'],
    ['a negative timestamp', 32, 'ffffffffffffffff', 'timestamp'],
    ['a standard pre-apply checksum', 40, '8000000000000000', 'pre-apply checksum, although'],
    ['WAL salts without an offset', 48, '0000000000000000', 'without its offset'],
    ['a negative WAL offset', 48, '8000000000000000', 'place in the WAL'],
    ['our checksum without bit 63', 84, '0123456789abcdef', 'without bit 63'],
    ['page zero with a flag', 100, '00000000', 'numbered from 1'],
    ['a page of the old compression', 104, '0000', 'not supported'],
    ['an unknown page flag', 104, '0003', 'page flags 0x3'],
    ['an empty block', 106, '00000000', 'block of 0 bytes'],
    ['a block of four gigabytes', 106, 'ffffffff', 'block of 4294967295 bytes'],
    ['a block longer than any compressor writes', 106, '00000213', 'block of 531 bytes'],
    ['an index that points elsewhere', 129, '65', 'page index'],
    ['a standard post-apply checksum', 140, '80', 'post-apply checksum, although'],
    ['another file checksum', 155, '2e', 'file checksum'],
  ])('%s is refused', (_, offset, hex, message) => {
    expect(() => decodeSegment(patched(offset, hex))).toThrow(message)
  })

  test('that claim to be a snapshot without all its pages are refused', () => {
    const bytes = patched(16, '0000000000000001')
    EMPTY_BYTES.copy(bytes, 84)
    expect(() => decodeSegment(bytes)).toThrow('page 2 of a snapshot where 1 is due')
  })

  test('that claim to be a snapshot of something are refused', () => {
    expect(() => decodeSegment(patched(16, '0000000000000001'))).toThrow('starts from an empty database')
  })

  test('that hold a page twice are refused', () => {
    const frame = FILE.subarray(100, 122)
    const bytes = Buffer.concat([FILE.subarray(0, 122), frame, FILE.subarray(122)])
    expect(() => decodeSegment(bytes)).toThrow('page 2 after page 2')
  })

  test('that hold the lock page are refused', () => {
    const bytes = patched(12, 'ffffffff')
    bytes.writeUInt32BE(2_097_153, 100)
    expect(() => decodeSegment(bytes)).toThrow('lock page')
  })

  test('that unpack to more than the limit are refused when the limit is reached', () => {
    const frames = SEGMENT_PAGES_BYTES_MAX / 65_536
    const header = Buffer.from(FILE.subarray(0, 100))
    header.writeUInt32BE(65_536, 8)
    header.writeUInt32BE(0xffffffff, 12)
    // One literal, a match over the rest: 64 KiB in 267 bytes.
    const block = Buffer.from(`1f410100${'ff'.repeat(256)}e7` + '504141414141', 'hex')
    const parts = [header]
    for (let pgno = 1; pgno <= frames + 1; pgno += 1) {
      const prefix = Buffer.from('00000000000100000000', 'hex')
      prefix.writeUInt32BE(pgno, 0)
      prefix.writeUInt32BE(block.length, 6)
      parts.push(prefix, block)
    }
    expect(() => decodeSegment(Buffer.concat(parts))).toThrow(`pages of more than ${SEGMENT_PAGES_BYTES_MAX} bytes`)
  })

  test('beyond the size limit are not even looked at', () => {
    // Never touched, so the pages of this buffer are never really there.
    const bytes = Buffer.from(new ArrayBuffer(SEGMENT_BYTES_MAX + 1))
    expect(() => decodeSegment(bytes)).toThrow(`more than ${SEGMENT_BYTES_MAX} bytes`)
  })

  test('of any kind are refused with segment_corrupt and nothing else', () => {
    const mutation = fc.record({ at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) })
    fc.assert(
      fc.property(segmentArbitrary, fc.array(mutation, { minLength: 1, maxLength: 4 }), ({ fields, pages }, wounds) => {
        const file = encodeSegment(fields, pages)
        for (const { at, bytes } of wounds)
          file.set(bytes.subarray(0, file.length - (at % file.length)), at % file.length)
        refusalOf(file)
      }),
      { numRuns: 1000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        expect(refusalOf(Buffer.from(noise))).toBeInstanceOf(MacaroondError)
        expect(refusalOf(Buffer.concat([FILE.subarray(0, 100), noise]))).toBeInstanceOf(MacaroondError)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the writer', () => {
  const page = PAGES[0]!.data

  test.each([
    ['a page size SQLite does not have', { pageSize: 1000 }, 'not a page size'],
    ['an epoch without checksums', { preApply: undefined, postApply: undefined }, 'without checksums'],
    ['a snapshot of a database that was there before', { minTxid: 1 as Txid }, 'from an empty database'],
    ['salts of a WAL without a place in it', { walOffset: 0 }, 'without its offset'],
    ['a time that is no whole millisecond', { timestampMs: 1.5 }, 'timestamp'],
    ['transactions back to front', { minTxid: 6 as Txid }, 'before the first'],
    ['a checksum for a database without pages', { commit: 0 }, 'without pages'],
  ])('refuses %s', (_, change, message) => {
    expect(() => encodeSegment({ ...FIELDS, ...change }, [])).toThrow(message)
  })

  test.each([
    ['pages that do not ascend', [2, 1], 'page 1 after page 2'],
    ['a page beyond the database', [4], 'page 4 of a database of 3 pages'],
    ['page zero', [0], 'page 0 after page 0'],
  ])('refuses %s', (_, pgnos, message) => {
    const pages = pgnos.map((pgno) => ({ pgno, data: page }))
    expect(() => encodeSegment(FIELDS, pages)).toThrow(message)
  })

  test('refuses a page that is not whole', () => {
    expect(() => encodeSegment(FIELDS, [{ pgno: 1, data: page.subarray(1) }])).toThrow('not a whole page')
  })
})

const EMPTY_BYTES = Buffer.from('8000000000000000', 'hex')
