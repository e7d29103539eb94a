import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hmac } from '../../../shared/crypto.ts'
import * as holder from '../../../shared/holder/holder.ts'
import { portableHmacInto, portableTextPrimitives } from '../../../shared/holder/primitives.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { decodeBase64Url, encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { boundSignature } from '../../../shared/macaroon/chain.ts'
import { readBase64Url, writeBase64Url } from '../../../shared/macaroon/portable-base64.ts'
import { verifyChain } from '../../../shared/macaroon/signature.ts'
import { macaroons } from '../macaroon/arbitraries.ts'
import { answersOf } from './case.ts'
import { allCases, attenuatedVectors, boundVectors, type Expected, NATIVE } from './cases.ts'

const named = (vectors: readonly Expected[]): [string, Expected][] => vectors.map((vector) => [vector.name, vector])

describe('the vectors through macaroond/holder', () => {
  test('all of them are here', () => {
    expect([attenuatedVectors().length, boundVectors().length]).toEqual([13, 2])
  })

  test.each(named(attenuatedVectors()))('%s is reproduced byte for byte by attenuating', (_, { act, answer }) => {
    expect(JSON.parse(answersOf(holder, [act])[0] ?? '')).toMatchObject(answer)
  })

  test.each(named(boundVectors()))('%s is bound byte for byte', (_, { act, answer }) => {
    expect(JSON.parse(answersOf(holder, [act])[0] ?? '')).toMatchObject(answer)
  })

  test('the binding of a signature of another length is the one of js-macaroon', () => {
    const { signature } = createMacaroon({ secret: Buffer.from('secret'), identifier: 'some id' })
    const bound = boundSignature(portableHmacInto, Buffer.from('another sig'), signature)
    expect(Buffer.from(bound).toString('hex')).toBe('bba29be9ed9485a594f678adad69b7071c2f353308933355fc81cfad601b8277')
  })
})

describe('macaroond/holder', () => {
  test('answers every case like the library of nodes, to the words of its errors', () => {
    const cases = allCases()
    expect(cases.length).toBeGreaterThan(1_000)
    const answers = answersOf(holder, cases)
    expect(answers).toEqual(answersOf(NATIVE, cases))
    expect(answers.filter((answer) => answer.includes('NO CODE'))).toEqual([])
    expect(new Set(answers.map((answer) => (JSON.parse(answer) as { code?: string }).code)).size).toBeGreaterThan(8)
  })

  test('writes and reads every macaroon like the library of nodes', () => {
    fc.assert(
      fc.property(macaroons, (macaroon) => {
        const text = holder.encodeTokenText(macaroon)
        expect(text).toBe(NATIVE.encodeTokenText(macaroon))
        expect(holder.decodeTokenText(text)).toEqual(macaroon)
        expect(holder.attenuate(macaroon, ['op = read', 'π'])).toEqual(NATIVE.attenuate(macaroon, ['op = read', 'π']))
        expect(holder.encodeText(macaroon, 'v2j')).toBe(NATIVE.encodeText(macaroon, 'v2j'))
      }),
    )
  })

  test('narrows a token that its authority then verifies with the discharge it bound', () => {
    const derivedKey = new Uint8Array(32).fill(3)
    const root = holder.attenuate(createMacaroon({ derivedKey, identifier: 'id' }), ['op = read'])
    const discharge = createMacaroon({ derivedKey, identifier: 'ticket' })
    const [sent, bound] = holder.decodeBundle(holder.encodeBundle(holder.bindDischarges(root, [discharge])))
    expect(sent && verifyChain(sent, derivedKey)).toBeDefined()
    expect(bound && verifyChain(bound, derivedKey, root.signature)).toBeDefined()
    expect(bound && verifyChain(bound, derivedKey)).toBeUndefined()
  })

  test('keeps the caller’s macaroon as it was', () => {
    const macaroon = createMacaroon({ derivedKey: new Uint8Array(32), identifier: 'id' })
    const before = structuredClone(macaroon)
    holder.attenuate(macaroon, ['op = read'])
    holder.bindDischarge(macaroon, macaroon)
    expect(macaroon).toEqual(before)
  })

  test.each([
    ['a text in the place of a macaroon', 'token_malformed', () => holder.attenuate('mcn1_x' as never, [])],
    ['no macaroon', 'token_malformed', () => holder.encodeTokenText(undefined as never)],
    [
      'a macaroon out of JSON',
      'token_malformed',
      () => holder.bindDischarge(JSON.parse('{"caveats":[]}'), {} as never),
    ],
    ['one macaroon in the place of a list', 'token_malformed', () => holder.encodeBundle({} as never)],
    [
      'a first-party caveat with a location',
      'token_malformed',
      () => holder.encodeTokenText(caveated({ location: 'x' })),
    ],
    [
      'a location that has no UTF-8',
      'token_malformed',
      () => holder.encodeTokenText({ ...macaroon(), location: '\udfff' }),
    ],
    ['a short verifier id', 'token_malformed', () => holder.encodeTokenText(caveated({ vid: new Uint8Array(3) }))],
    [
      'a caveat that is nothing',
      'token_malformed',
      () => holder.encodeTokenText({ ...macaroon(), caveats: [null as never] }),
    ],
    ['a format that is none', 'token_unsupported', () => holder.encodeText(macaroon(), 'v3' as never)],
    ['an empty list', 'bundle_malformed', () => holder.encodeBundle([])],
    ['a caveat that is no list', 'caveat_malformed', () => holder.attenuate(macaroon(), 'op = read' as never)],
    ['a caveat that is a number', 'caveat_malformed', () => holder.attenuate(macaroon(), [5 as never])],
    ['half of a surrogate pair', 'caveat_malformed', () => holder.attenuate(macaroon(), ['\ud800'])],
    ['no token', 'token_malformed', () => holder.inspect(undefined as never)],
    ['an object for a token', 'token_malformed', () => holder.decodeTokenText({} as never)],
  ])('refuses %s with a code', (_, code, act) => {
    expect(act).toThrow(expect.objectContaining({ name: 'MacaroondError', code }))
  })
})

function macaroon(): holder.Macaroon {
  return createMacaroon({ derivedKey: new Uint8Array(32), identifier: 'id' })
}

function caveated(parts: object): holder.Macaroon {
  return { ...macaroon(), caveats: [{ cid: new Uint8Array(1), ...parts }] }
}

describe('the primitives of a holder', () => {
  test('give the HMAC of node:crypto', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 300 }),
        (key, message) => {
          const expected = hmac(key, message)
          portableHmacInto(key, key, message)
          expect(Buffer.from(key)).toEqual(expected)
        },
      ),
    )
  })

  test('give the CRC-32 of node:zlib, of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(portableTextPrimitives.crc32(text)).toBe(crc32(text))
      }),
    )
    expect(portableTextPrimitives.crc32('\ud800')).toBe(crc32('\ud800'))
  })

  test('write base64url like Buffer, and read exactly what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = encodeBase64Url(bytes)
        expect(writeBase64Url(bytes)).toBe(text)
        expect(readBase64Url(text)).toEqual(bytes)
      }),
    )
  })

  test('refuse every text that is not the base64url of its bytes', () => {
    const digit = fc.constantFrom(...'AQgw048BIYo_-/+= é\n'.split(''))
    fc.assert(
      fc.property(fc.string({ unit: digit, maxLength: 12 }), (text) => {
        expect(readBase64Url(text)).toEqual(decodeBase64Url(text))
      }),
      { numRuns: 3_000 },
    )
  })
})
