import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { deriveMacaroonKey, sha256 } from '../../../shared/crypto.ts'
import { OFFLINE_LIMITS } from '../../../shared/macaroon/format-limits.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { verifyMacaroon } from '../../../shared/macaroon/signature.ts'
import { decodeTokenText, encodeText, readTokenText } from '../../../shared/macaroon/text.ts'
import { decodeV1 } from '../../../shared/macaroon/v1-reader.ts'
import { encodeV1 } from '../../../shared/macaroon/v1-writer.ts'
import { decodeV2 } from '../../../shared/macaroon/v2-reader.ts'
import { encodeV2 } from '../../../shared/macaroon/v2-writer.ts'

interface Vector {
  readonly name: string
  readonly key_utf8: string
  readonly derived_key_hex?: string
  readonly location: string
  readonly identifier?: string
  readonly identifier_hex?: string
  readonly caveats?: readonly { readonly cid?: string; readonly cid_hex?: string }[]
  readonly signature_hex: string
  readonly v2_hex?: string
  readonly v2_base64url_nopad?: string
  readonly v2_sha256?: string
  readonly v1_base64url_nopad?: string
  readonly v1_sha256_of_base64url_nopad?: string
  readonly v2j?: string
}

const folder = new URL('../../vectors/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const firstParty = (JSON.parse(read('first_party.json')) as { vectors: Vector[] }).vectors

function caveatsOf(vector: Vector): (string | Uint8Array)[] {
  // The vector of the longest V1 packet describes its one caveat in words.
  if (vector.caveats === undefined) return ['x'.repeat(65_526)]
  return vector.caveats.map(({ cid, cid_hex }) => cid ?? unhex(cid_hex ?? ''))
}

/** Each text is read as that macaroon, and written for it: V2J as the same JSON, the others to the byte. */
function expectEveryFormat(macaroon: Macaroon, texts: Readonly<Record<'v1' | 'v2' | 'v2j', string | undefined>>): void {
  for (const format of ['v1', 'v2', 'v2j'] as const) {
    const text = texts[format] ?? ''
    expect(readTokenText(text)).toEqual({ format, macaroon })
    const written = encodeText(macaroon, format)
    if (format === 'v2j') expect(JSON.parse(written)).toEqual(JSON.parse(text))
    else expect(written).toBe(text)
  }
}

describe('first-party vectors', () => {
  test('all of them are here', () => {
    expect(firstParty).toHaveLength(14)
  })

  test.each(firstParty.map((vector) => [vector.name, vector] as const))(
    '%s is reproduced byte for byte',
    (_, vector) => {
      const secret = utf8(vector.key_utf8)
      if (vector.derived_key_hex !== undefined) expect(hex(deriveMacaroonKey(secret))).toBe(vector.derived_key_hex)
      const identifier = vector.identifier ?? unhex(vector.identifier_hex ?? '')
      const macaroon = attenuate(createMacaroon({ secret, identifier, location: vector.location }), caveatsOf(vector))
      expect(hex(macaroon.signature)).toBe(vector.signature_hex)
      const encoded = encodeV2(macaroon)
      if (vector.v2_sha256 !== undefined) {
        expect(hex(sha256(encoded))).toBe(vector.v2_sha256)
        expect(decodeV1(encodeV1(macaroon), OFFLINE_LIMITS)).toEqual(macaroon)
        const v1 = encodeText(macaroon, 'v1', OFFLINE_LIMITS)
        expect(hex(sha256(utf8(v1)))).toBe(vector.v1_sha256_of_base64url_nopad)
        return
      }
      expect(hex(encoded)).toBe(vector.v2_hex)
      expect(decodeV2(encoded)).toEqual(macaroon)
      expectEveryFormat(macaroon, {
        v1: vector.v1_base64url_nopad,
        v2: vector.v2_base64url_nopad,
        v2j: vector.v2j,
      })
      expect(verifyMacaroon(macaroon, deriveMacaroonKey(secret))).toBeDefined()
      expect(verifyMacaroon(macaroon, deriveMacaroonKey(utf8('another key')))).toBeUndefined()
    },
  )
})

describe('third-party vectors', () => {
  type ByFormat = Readonly<Record<'v1' | 'v2' | 'v2j', string>>
  const { vectors } = JSON.parse(read('third_party.json')) as { vectors: readonly Record<string, unknown>[] }
  const under = (key: string): [string, unknown][] =>
    vectors.flatMap((vector) =>
      vector[key] === undefined ? [] : [[`${key} of ${String(vector['name'])}`, vector[key]]],
    )
  const keyed = ['root', 'discharge_unbound', 'discharge_bound'].flatMap(under) as [string, Vector][]
  const described = keyed.filter(([, { v2_hex }]) => v2_hex !== undefined)
  const nested = Object.entries(vectors.at(-1) ?? {}).filter(([key]) => /^(root|discharge_.*)$/.test(key))

  test('all of them are here', () => {
    expect([vectors.length, described.length, nested.length]).toEqual([6, 6, 5])
  })

  test.each(described)('the %s is reproduced in every format', (name, vector) => {
    const macaroon = decodeV2(unhex(vector.v2_hex ?? ''))
    expect(hex(encodeV2(macaroon))).toBe(vector.v2_hex)
    expect(hex(macaroon.signature)).toBe(vector.signature_hex)
    const { v1_base64url_nopad: v1, v2_base64url_nopad: v2, v2j } = vector
    expectEveryFormat(macaroon, { v1, v2, v2j })
    const authentic = verifyMacaroon(macaroon, deriveMacaroonKey(utf8(vector.key_utf8))) !== undefined
    // The signature of a bound discharge is not the end of its own chain any more.
    expect(authentic).toBe(!name.startsWith('discharge_bound'))
    expect(verifyMacaroon(macaroon, deriveMacaroonKey(utf8('another key')))).toBeUndefined()
  })

  test.each(nested as [string, ByFormat][])('the %s of the nested one is reproduced in every format', (_, texts) => {
    expectEveryFormat(decodeTokenText(texts.v2), texts)
  })

  test.each(['root', 'discharge'])(
    'the %s that go-macaroon wrote is read in every format, and written again',
    (which) => {
      const vector = vectors.find((entry) => 'v2j_root_go' in entry) as Record<string, string>
      const macaroon = decodeTokenText(vector[`v2_binary_${which}`] ?? '')
      expect(decodeTokenText(vector[`v1_binary_${which}`] ?? '')).toEqual(macaroon)
      expect(decodeTokenText(vector[`v2j_${which}_go`] ?? '')).toEqual(macaroon)
      expect(encodeText(macaroon, 'v1')).toBe(vector[`v1_binary_${which}`])
      expect(encodeText(macaroon, 'v2')).toBe(vector[`v2_binary_${which}`])
      expect(JSON.parse(encodeText(macaroon, 'v2j'))).toMatchObject(
        JSON.parse(vector[`v2j_${which}_go`] ?? '') as object,
      )
      expect(() => decodeTokenText(vector[`v1_json_${which}`] ?? '')).toThrow("V1's JSON")
    },
  )
})

describe("libmacaroons' own test files", () => {
  const names = readdirSync(new URL('upstream/libmacaroons/', folder)).filter((name) => name.endsWith('.vtest'))
  const unpadded = (text: string): string => text.replace(/=+$/, '')
  /** V1 lines wrap the serialized form once more, and so do the V1 and V2J lines of the serialization files. */
  const unwrapped = (text: string): string => Buffer.from(text, 'base64').toString('latin1')

  test('all of them are here', () => {
    expect(names).toHaveLength(16)
  })

  test.each(names)('%s has the outcome it states', (name) => {
    const lines = read(`upstream/libmacaroons/${name}`).split('\n')
    const word = (key: string): string[] => lines.filter((l) => l.startsWith(key)).map((l) => l.slice(key.length))
    const line = lines.findLast((text) => /^[\w-]{20,}=*$/.test(text)) ?? ''
    const macaroon = decodeTokenText(name.includes('_v1_') ? unwrapped(line) : unpadded(line))
    const exact = word('exact ')
    const authentic = verifyMacaroon(macaroon, deriveMacaroonKey(utf8(word('key ')[0] ?? ''))) !== undefined
    const clears = macaroon.caveats.every(({ cid }) => exact.includes(Buffer.from(cid).toString('utf8')))
    expect(authentic && clears).toBe(lines.includes('authorized'))
  })

  test.each(['serialization_1', 'serialization_2', 'serialization_3'])(
    '%s is the same macaroon in every format',
    (name) => {
      const line = (format: string): string =>
        read(`upstream/libmacaroons/${name}`)
          .split('\n')
          .find((text) => text.startsWith(`${format} `))
          ?.slice(format.length + 1) ?? ''
      const v2 = unpadded(line('v2'))
      expectEveryFormat(decodeTokenText(v2), { v1: unwrapped(line('v1')), v2, v2j: unwrapped(line('v2j')) })
    },
  )
})
