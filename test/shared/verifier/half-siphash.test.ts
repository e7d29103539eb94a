import { describe, expect, test } from 'vitest'
import { halfSipHash } from '../../../shared/verifier/half-siphash.ts'

const words = (length: number): number[] => {
  const bytes = Buffer.from(Array.from({ length: length * 4 }, (_, i) => i))
  return Array.from({ length }, (_, i) => bytes.readUInt32LE(i * 4))
}
const [k0 = 0, k1 = 0] = words(2)
const [w0 = 0, w1 = 0, w2 = 0, w3 = 0, w4 = 0] = words(5)

describe('HalfSipHash-2-4', () => {
  test("of the bytes 0 to 19 under the key 0 to 7 is the authors' test vector", () => {
    // vectors_hsip32[20] of the reference implementation: e3 4d 10 45, little-endian.
    expect(halfSipHash(k0, k1, w0, w1, w2, w3, w4)).toBe(0x45104de3)
  })

  test('spreads nonces that differ in a few low bits over the range, differently for each key', () => {
    const slots = (key: number): number[] =>
      Array.from({ length: 4_096 }, (_, i) => halfSipHash(key, 1, 1, 0, 0, 0, i) & 1023)
    const fullest = (list: number[]): number => {
      const counts = Array.from({ length: 1024 }, () => 0)
      for (const slot of list) counts[slot] = (counts[slot] ?? 0) + 1
      return Math.max(...counts)
    }
    expect(fullest(slots(7))).toBeLessThan(20)
    expect(slots(7)).not.toEqual(slots(8))
  })
})
