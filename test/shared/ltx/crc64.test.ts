import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Crc64, crc64 } from '../../../shared/ltx/crc64.ts'

const MASK = 2n ** 64n - 1n

/** The definition, bit by bit. */
function crc64ByDefinition(bytes: Uint8Array): bigint {
  let register = MASK
  for (const byte of bytes) {
    register ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) {
      register = (register & 1n) === 0n ? register >> 1n : (register >> 1n) ^ 0xd800000000000000n
    }
  }
  return register ^ MASK
}

describe('CRC-64/ISO', () => {
  test('has the check value of the catalogue, and zero for nothing', () => {
    expect(crc64(Buffer.from('123456789'))).toBe(0xb90956c775a41001n)
    expect(crc64(Buffer.alloc(0))).toBe(0n)
  })

  test('agrees with its definition for every length up to three strides, at every alignment', () => {
    const bytes = randomBytes(80)
    for (let start = 0; start < 20; start += 1) {
      for (let length = 0; length <= 50; length += 1) {
        const piece = bytes.subarray(start, start + length)
        expect(crc64(piece)).toBe(crc64ByDefinition(piece))
      }
    }
  })

  test('of two pieces one after the other comes from the sums of both', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (first, second) => {
        const sums = new Crc64().update(first).append(new Crc64().update(second), second.length)
        expect(sums.value).toBe(crc64(Buffer.concat([first, second])))
      }),
    )
  })

  test('agrees with its definition for a whole page', () => {
    const page = randomBytes(4096)
    expect(crc64(page)).toBe(crc64ByDefinition(page))
  })

  test('is the same however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, a, b) => {
        const [first, second] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)]
        const crc = new Crc64().update(bytes, 0, first).update(bytes, first, second).update(bytes.subarray(second))
        expect(crc.value).toBe(crc64(bytes))
      }),
    )
  })

  test('takes a 32-bit number as its four bytes in network order', () => {
    expect(new Crc64().updateUint32(0xdeadbeef).value).toBe(crc64(Buffer.from('deadbeef', 'hex')))
  })

  test('shows its halves unsigned and can begin again', () => {
    const crc = new Crc64().update(Buffer.from('123456789'))
    expect([crc.hi, crc.lo]).toEqual([0xb90956c7, 0x75a41001])
    expect(crc.reset().update(Buffer.from('123456789')).value).toBe(0xb90956c775a41001n)
  })
})
