import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Kid, Nonce } from '../../../shared/ids.ts'
import { RevocationTable } from '../../../shared/verifier/revocation-table.ts'

const seed = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])
const kids = fc.integer({ min: 0, max: 5 }).map((n) => n.toString(16).padStart(16, '0') as Kid)
const nonces = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex') as Nonce),
  // Few values, so that entries repeat and differ in one word only.
  fc
    .tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3))
    .map((w) => w.map((n) => n.toString(16).padStart(8, '0')).join('') as Nonce),
)
const at = (i: number): Nonce => i.toString(16).padStart(32, '0') as Nonce
const kid = '00000000000000aa' as Kid

describe('the revocation table', () => {
  test('holds what a Set of texts would hold', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(kids, nonces), { maxLength: 300 }),
        fc.array(fc.tuple(kids, nonces)),
        (added, asked) => {
          const table = new RevocationTable({ seed })
          const model = new Set<string>()
          for (const [name, nonce] of added) {
            expect(table.add(name, nonce)).toBe(!model.has(name + nonce))
            model.add(name + nonce)
          }
          expect(table.size).toBe(model.size)
          for (const [name, nonce] of [...added, ...asked]) expect(table.has(name, nonce)).toBe(model.has(name + nonce))
        },
      ),
    )
  })

  test('tells entries apart that differ in one word only, whichever run of slots they share', () => {
    const words = Array.from({ length: 256 }, (_, i) => [i & 3, (i >> 2) & 3, (i >> 4) & 3, i >> 6])
    const texts = words.map((list) => list.map((n) => n.toString(16).padStart(8, '0')).join('') as Nonce)
    const names = Array.from({ length: 5 }, (_, i) => i.toString(16).padStart(16, '0') as Kid)
    const entries = names.flatMap((name) => texts.map((nonce) => [name, nonce] as const))
    for (let round = 0; round < 60; round += 1) {
      const table = new RevocationTable({ seed: new Uint8Array(8).fill(round) })
      // Half of them, so that each has a neighbour in every word that is not there; 640 of 1024 slots are taken.
      const revoked = (i: number): boolean => ((i ^ (i >> 2) ^ (i >> 4) ^ (i >> 6) ^ (i >> 8)) & 1) === (round & 1)
      for (const [i, [name, nonce]] of entries.entries()) if (revoked(i)) table.add(name, nonce)
      for (const [i, [name, nonce]] of entries.entries()) expect(table.has(name, nonce)).toBe(revoked(i))
    }
  })

  test('keeps every entry while it grows, and refuses none that was not added', () => {
    const table = new RevocationTable({ seed })
    for (let i = 0; i < 50_000; i += 1) table.add(kid, at(i))
    expect(table.size).toBe(50_000)
    for (let i = 0; i < 50_000; i += 1) expect(table.has(kid, at(i))).toBe(true)
    for (let i = 50_000; i < 100_000; i += 1) expect(table.has(kid, at(i))).toBe(false)
  })

  test('stays at most 0.7 full, at 24 bytes a slot', () => {
    const table = new RevocationTable({ seed })
    for (let i = 0; i < 10_000; i += 1) {
      table.add(kid, at(i))
      expect(table.size / (table.bytes / 24)).toBeLessThanOrEqual(0.7)
    }
  })

  test('made for an expected size does not grow on the way there', () => {
    const table = new RevocationTable({ seed, expected: 10_000 })
    const { bytes } = table
    for (let i = 0; i < 10_000; i += 1) table.add(kid, at(i))
    expect(table.bytes).toBe(bytes)
  })

  test('keeps keys apart that revoke the same nonce', () => {
    const table = new RevocationTable({ seed })
    const other = '00000000000000bb' as Kid
    table.add(kid, at(1))
    expect([table.has(kid, at(1)), table.has(other, at(1))]).toEqual([true, false])
    table.add(other, at(2))
    expect([table.has(other, at(1)), table.has(kid, at(2)), table.has(other, at(2))]).toEqual([false, false, true])
  })

  test('takes the nonce of zeros and the nonce of ones', () => {
    const table = new RevocationTable({ seed })
    const nonces16 = ['0'.repeat(32), 'f'.repeat(32)] as Nonce[]
    for (const nonce of nonces16)
      expect([table.has(kid, nonce), table.add(kid, nonce), table.has(kid, nonce)]).toEqual([false, true, true])
  })

  test('fails on what is no nonce instead of storing something else', () => {
    const table = new RevocationTable({ seed })
    for (const nonce of ['', 'A'.repeat(32), 'x'.repeat(32), 'é'.repeat(32)]) {
      expect(() => table.add(kid, nonce as Nonce)).toThrow('32 hex digits')
    }
    expect(() => new RevocationTable({ seed: new Uint8Array(7) })).toThrow('8 bytes')
  })
})

test('removed entries are gone and all others are still found, however the slots were shared', () => {
  const entry = fc.record({ key: fc.nat(3), nonce: fc.nat(3_000) })
  const kidOf = (key: number): Kid => key.toString(16).padStart(16, '0') as Kid
  const nonceOf = (value: number): Nonce => value.toString(16).padStart(32, '0') as Nonce
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.array(entry, { minLength: 600, maxLength: 900 }),
      (seed, all) => {
        // At this load, in 1,024 slots, runs of slots are long, and some go around the end.
        const table = new RevocationTable({ seed })
        for (const one of all) table.add(kidOf(one.key), nonceOf(one.nonce))
        const removed = new Set(
          all.filter((_, index) => index % 3 === 0).map(({ key, nonce: value }) => `${key} ${value}`),
        )
        for (const one of all.toReversed()) {
          if (removed.has(`${one.key} ${one.nonce}`)) table.remove(kidOf(one.key), nonceOf(one.nonce))
        }
        const kept = new Set(all.map(({ key, nonce: value }) => `${key} ${value}`).filter((name) => !removed.has(name)))
        expect(table.size).toBe(kept.size)
        for (const one of all) {
          expect(table.has(kidOf(one.key), nonceOf(one.nonce))).toBe(kept.has(`${one.key} ${one.nonce}`))
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('a sweep removes only expired entries, and the next one those that wrap around the end', () => {
  const entry = fc.record({
    nonce: fc.nat(5_000),
    expiresAt: fc.constantFrom(0, 1, 50, 99, 100, 101, 2 ** 32, 2 ** 40),
  })
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.array(entry, { minLength: 600, maxLength: 900 }),
      (seed, all) => {
        const table = new RevocationTable({ seed })
        const latest = new Map<number, number>()
        for (const { nonce, expiresAt } of all) {
          table.add(kid, at(nonce), expiresAt)
          latest.set(nonce, Math.max(latest.get(nonce) ?? 1, expiresAt === 0 ? Infinity : expiresAt))
        }
        // Twice: what was moved over the end of the table by the first may be left.
        for (let round = 0; round < 2; round += 1) {
          for (let slot: number | undefined = 0; slot !== undefined;) slot = table.sweep(slot, 100)
        }
        table.shrink()
        for (const [nonce, expiry] of latest) expect(table.has(kid, at(nonce))).toBe(expiry >= 100)
        expect(table.size).toBe([...latest.values()].filter((expiry) => expiry >= 100).length)
      },
    ),
    { numRuns: 60 },
  )
})

test('memory is given back once most entries are gone, and those that are left are found', () => {
  const table = new RevocationTable({ seed })
  for (let i = 0; i < 100_000; i += 1) table.add(kid, at(i), i % 100 === 0 ? 0 : 10)
  const { bytes } = table
  for (let slot: number | undefined = 0; slot !== undefined;) slot = table.sweep(slot, 11)
  table.shrink()
  expect(table.bytes).toBeLessThan(bytes / 32)
  for (let i = 0; i < 100_000; i += 1) expect(table.has(kid, at(i))).toBe(i % 100 === 0)
})

test('an image that no table was like is not taken up: a lookup in it might never end', () => {
  const table = new RevocationTable({ seed })
  for (let i = 0; i < 50; i += 1) table.add(kid, at(i))
  const image = table.image()
  expect(RevocationTable.fromImage({ ...image, slots: image.slots.slice() })?.has(kid, at(7))).toBe(true)
  const full = image.slots.slice().fill(1)
  for (const other of [{ slots: full }, { size: 49 }, { size: 51 }, { kids: [] }]) {
    expect(RevocationTable.fromImage({ ...image, ...other })).toBeUndefined()
  }
})
