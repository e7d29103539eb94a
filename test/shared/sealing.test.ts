import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemEntropy } from '../../shared/clock.ts'
import { kekFromHex, seal, unseal, type Kek, type SealContext } from '../../shared/sealing.ts'
import { codeOf } from './code-of.ts'

const KEK: Kek = kekFromHex('ab'.repeat(32))
const OTHER: Kek = kekFromHex('cd'.repeat(32))
const CONTEXT: SealContext = { cluster: 'test', org: 'acme', kid: '1'.repeat(16) }
const SECRET = Buffer.from('a secret of thirty-two bytes ...')

test('a sealed secret opens again, with the ring in any order', () => {
  const sealed = seal(KEK, CONTEXT, SECRET, systemEntropy)
  expect(unseal([KEK], CONTEXT, sealed)).toEqual(SECRET)
  expect(unseal([OTHER, KEK], CONTEXT, sealed)).toEqual(SECRET)
  expect(unseal([KEK, OTHER], CONTEXT, sealed)).toEqual(SECRET)
})

test('another KEK does not open it, also not one that claims to be the same', () => {
  const sealed = seal(KEK, CONTEXT, SECRET, systemEntropy)
  expect(codeOf(() => unseal([OTHER], CONTEXT, sealed))).toBe('kek_wrong')
  expect(codeOf(() => unseal([], CONTEXT, sealed))).toBe('kek_wrong')
  expect(codeOf(() => unseal([{ id: KEK.id, key: OTHER.key }], CONTEXT, sealed))).toBe('kek_wrong')
})

test('moved to another org, key or cluster it does not open', () => {
  const sealed = seal(KEK, CONTEXT, SECRET, systemEntropy)
  for (const moved of [
    { ...CONTEXT, org: 'globex' },
    { ...CONTEXT, org: '' },
    { ...CONTEXT, kid: '2'.repeat(16) },
    { ...CONTEXT, cluster: 'other' },
    { cluster: CONTEXT.org, org: CONTEXT.cluster, kid: CONTEXT.kid },
  ]) {
    expect(codeOf(() => unseal([KEK], moved, sealed))).toBe('kek_wrong')
  }
})

test('no two contexts share their associated data, whatever their names hold', () => {
  const text = fc.string({ maxLength: 12, unit: fc.constantFrom('a', '"', ',', '\\', '\u0000', '\n') })
  const context = fc.record({ cluster: text, org: text, kid: text })
  fc.assert(
    fc.property(context, context, (one, other) => {
      const same = one.cluster === other.cluster && one.org === other.org && one.kid === other.kid
      const sealed = seal(KEK, one, SECRET, systemEntropy)
      expect(codeOf(() => unseal([KEK], other, sealed))).toBe(same ? 'no error' : 'kek_wrong')
    }),
  )
})

test('one changed bit anywhere, or one byte more or less, and it does not open', () => {
  const sealed = seal(KEK, CONTEXT, SECRET, systemEntropy)
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    expect(codeOf(() => unseal([KEK], CONTEXT, changed))).toBe('kek_wrong')
  }
  for (let size = 0; size < sealed.length; size += 1) {
    expect(codeOf(() => unseal([KEK], CONTEXT, sealed.subarray(0, size)))).toBe('kek_wrong')
  }
  expect(codeOf(() => unseal([KEK], CONTEXT, Buffer.concat([sealed, Buffer.alloc(1)])))).toBe('kek_wrong')
})

test('garbage does not open, and no error repeats any of it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(codeOf(() => unseal([KEK], CONTEXT, bytes))).toBe('kek_wrong')
    }),
  )
})

test('one secret is never sealed twice to the same bytes, and a KEK’s id does not reveal it', () => {
  const all = new Set(Array.from({ length: 50 }, () => seal(KEK, CONTEXT, SECRET, systemEntropy).toString('hex')))
  expect(all.size).toBe(50)
  expect(KEK.id).toMatch(/^[0-9a-f]{8}$/)
  expect('ab'.repeat(32)).not.toContain(KEK.id)
})
