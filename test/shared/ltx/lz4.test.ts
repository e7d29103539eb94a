import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { compressSync, uncompressSync } from 'lz4-napi'
import { describe, expect, test } from 'vitest'
import { blockBytesMax, compressBlock, decompressBlock } from '../../../shared/ltx/lz4.ts'
import { PAGE_SIZE, pageArbitrary } from './arbitraries.ts'

/** The other library puts the length of the page (u32, little endian) before its blocks. */
const SIZE_PREFIX_BYTES = 4

function compress(page: Uint8Array): Buffer {
  const out = Buffer.alloc(blockBytesMax(page.length))
  return out.subarray(0, compressBlock(page, out, 0))
}

function decompress(block: Uint8Array, size: number): Buffer | undefined {
  const out = Buffer.alloc(size)
  return decompressBlock(block, out) ? out : undefined
}

function withSizePrefix(block: Uint8Array, size: number): Buffer {
  const prefix = Buffer.alloc(SIZE_PREFIX_BYTES)
  prefix.writeUInt32LE(size)
  return Buffer.concat([prefix, block])
}

/** Token, length bytes and the page itself: what a compressor that finds nothing writes. */
function literalsOnlyBytes(size: number): number {
  return size < 15 ? 1 + size : 1 + Math.floor((size - 15) / 255) + 1 + size
}

describe('LZ4 blocks', () => {
  test('give back any page, and never grow beyond plain literals', () => {
    fc.assert(
      fc.property(pageArbitrary, (page) => {
        const block = compress(page)
        expect(decompress(block, PAGE_SIZE)).toEqual(page)
        expect(block.length).toBeLessThanOrEqual(literalsOnlyBytes(PAGE_SIZE))
      }),
    )
  })

  test('give back pages of every size SQLite has, and the few bytes that cannot hold a match', () => {
    for (const size of [0, 1, 11, 12, 13, 14, 15, 16, 270, 512, 1024, 4096, 65_536]) {
      for (const page of [Buffer.alloc(size), randomBytes(size), Buffer.alloc(size, 'abcdefghijklmnopqrst')]) {
        expect(decompress(compress(page), size)).toEqual(page)
      }
    }
  })

  test('reach back over a whole page of 64 KiB', () => {
    const page = Buffer.alloc(65_536)
    const words = randomBytes(400)
    words.copy(page, 0)
    words.copy(page, 65_000)
    expect(compress(page).length).toBeLessThan(2 * words.length)
    expect(decompress(compress(page), page.length)).toEqual(page)
  })

  test('are read by another implementation, and its blocks are read here', () => {
    fc.assert(
      fc.property(pageArbitrary, (page) => {
        expect(uncompressSync(withSizePrefix(compress(page), PAGE_SIZE))).toEqual(page)
        expect(decompress(compressSync(page).subarray(SIZE_PREFIX_BYTES), PAGE_SIZE)).toEqual(page)
      }),
    )
  })

  test('start at the given offset, and write nothing before it', () => {
    const out = Buffer.alloc(7 + blockBytesMax(PAGE_SIZE), 0xee)
    const end = compressBlock(Buffer.alloc(PAGE_SIZE, 'x'), out, 7)
    expect(out.subarray(0, 7)).toEqual(Buffer.alloc(7, 0xee))
    expect(decompress(out.subarray(7, end), PAGE_SIZE)).toEqual(Buffer.alloc(PAGE_SIZE, 'x'))
  })
})

describe('a block from outside', () => {
  // One literal A, then a match of 10 at offset 1, then five literals B: 16 bytes.
  const GOOD = Buffer.from('1641010050' + '4242424242', 'hex')

  test('is unpacked by the letter of the format', () => {
    expect(decompress(GOOD, 16)?.toString()).toBe('AAAAAAAAAAABBBBB')
  })

  test.each([
    ['has an offset of zero', '1641000050' + '4242424242', 16],
    ['reaches back before the page', '1641020050' + '4242424242', 16],
    ['matches beyond the page', '1f41010050' + '4242424242', 16],
    ['ends before the page is full', GOOD.toString('hex'), 17],
    ['goes on when the page is full', GOOD.toString('hex'), 15],
    ['ends inside its literals', '5041', 5],
    ['ends inside an offset', '164101', 16],
    ['ends after a match', '16410100', 11],
    ['ends inside a literal length', 'f0ff', 300],
    ['ends inside a match length', '1f410100ff', 300],
    ['promises a match after its last literals', '5141424344' + '45', 5],
    ['holds a literal length of megabytes', 'f0' + 'ff'.repeat(5000) + '00', 512],
    ['is empty', '', 16],
  ])('is refused when it %s', (_, hex, size) => {
    expect(decompress(Buffer.from(hex, 'hex'), size)).toBeUndefined()
  })

  test('never makes a write outside the page or a throw, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (block) => {
        const memory = Buffer.alloc(PAGE_SIZE + 64, 0xee)
        decompressBlock(block, memory.subarray(32, 32 + PAGE_SIZE))
        expect(memory.subarray(0, 32)).toEqual(Buffer.alloc(32, 0xee))
        expect(memory.subarray(32 + PAGE_SIZE)).toEqual(Buffer.alloc(32, 0xee))
      }),
      { numRuns: 2000 },
    )
  })
})
