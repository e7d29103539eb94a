import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Kid } from '../../../shared/ids.ts'
import { decodeIdentifier, encodeIdentifier, type TokenReference } from '../../../shared/macaroon/identifier.ts'
import { nextNonce } from '../../../shared/macaroon/nonce.ts'

const references: fc.Arbitrary<TokenReference> = fc
  .tuple(
    fc.uint8Array({ minLength: 8, maxLength: 8 }),
    fc.nat({ max: 2 ** 47 }),
    fc.uint8Array({ minLength: 8, maxLength: 8 }),
  )
  .map(([name, ms, random]) => ({
    kid: Buffer.from(name).toString('hex') as Kid,
    nonce: nextNonce({ lastMs: 0, counter: 0 }, ms, random).nonce,
  }))

const identifiers = fc
  .record({
    own: references,
    expiresAt: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    ancestors: fc.array(references, { maxLength: 4 }),
    subject: fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => Buffer.byteLength(text) <= 255),
  })
  .map(({ own, ...rest }) => ({ ...own, ...rest }))

const kid = '0123456789abcdef' as Kid
const { nonce } = nextNonce({ lastMs: 0, counter: 0 }, 0x0123456789ab, new Uint8Array(8).fill(0xff))
const sample = encodeIdentifier({ kid, nonce, expiresAt: 2 ** 33, ancestors: [{ kid, nonce }], subject: 'älice' })

function codeOf(bytes: Uint8Array): string {
  try {
    decodeIdentifier(bytes)
    return 'ok'
  } catch (error) {
    if (error instanceof MacaroondError) return error.code
    throw error
  }
}

const edited = (at: number, ...values: number[]): Uint8Array => {
  const bytes = Uint8Array.from(sample)
  bytes.set(values, at)
  return bytes
}

describe('the identifier of a token', () => {
  test('is laid out as FORMAT.md says', () => {
    const reference = '0123456789abcdef' + '0123456789ab7000bfffffffffffffff'
    expect(Buffer.from(sample).toString('hex')).toBe(`01${reference}00000002000000000` + `1${reference}06c3a46c696365`)
  })

  test('is read back the same', () => {
    fc.assert(
      fc.property(identifiers, (id) => {
        expect(decodeIdentifier(encodeIdentifier(id))).toEqual(id)
      }),
    )
  })

  test('has one encoding that is accepted, whatever is done to the bytes', () => {
    const damaged = fc.tuple(identifiers, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 3 }), fc.nat(3))
    fc.assert(
      fc.property(damaged, ([id, edits, cut]) => {
        const bytes = encodeIdentifier(id)
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
        const shorter = bytes.subarray(0, bytes.length - cut)
        if (codeOf(shorter) === 'ok')
          expect(encodeIdentifier(decodeIdentifier(shorter))).toEqual(Uint8Array.from(shorter))
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['nothing', new Uint8Array(), 'token_malformed'],
    ['version 0', edited(0, 0), 'token_malformed'],
    ['a newer version', edited(0, 2), 'token_unsupported'],
    ["another authority's text", new Uint8Array(Buffer.from('we used our secret key')), 'token_malformed'],
    ['one byte less', sample.subarray(0, -1), 'token_malformed'],
    ['one byte more', Uint8Array.of(...sample, 0), 'token_malformed'],
    ['a head alone', sample.subarray(0, 34), 'token_malformed'],
    ['five ancestors', edited(33, 5), 'token_malformed'],
    ['more ancestors than bytes', edited(33, 4), 'token_malformed'],
    ['a nonce of another UUID version', edited(15, 0x40), 'token_malformed'],
    ['a nonce of another UUID variant', edited(17, 0x3f), 'token_malformed'],
    ['an expiry above 2^53', edited(25, 0, 0x20, 0, 0, 0, 0, 0, 0), 'token_malformed'],
    ['a subject that is not UTF-8', edited(59, 0xff), 'token_malformed'],
  ])('refuses %s', (_, bytes, code) => {
    expect(codeOf(bytes)).toBe(code)
  })

  test('is not made of a subject that is too long or no text', () => {
    const id = { kid, nonce, expiresAt: 0, ancestors: [] }
    expect(() => encodeIdentifier({ ...id, subject: 'a'.repeat(256) })).toThrow(MacaroondError)
    expect(() => encodeIdentifier({ ...id, subject: 'ä'.repeat(128) })).toThrow(MacaroondError)
    expect(() => encodeIdentifier({ ...id, subject: '\ud800' })).toThrow(MacaroondError)
    expect(decodeIdentifier(encodeIdentifier({ ...id, subject: 'a'.repeat(255) })).subject).toHaveLength(255)
  })
})
