import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { deriveMacaroonKey, sha256 } from '../../../shared/crypto.ts'
import { decodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/macaroon.ts'
import { verifyMacaroon } from '../../../shared/macaroon/signature.ts'
import { decodeTokenText } from '../../../shared/macaroon/text.ts'
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
        return
      }
      expect(hex(encoded)).toBe(vector.v2_hex)
      expect(decodeV2(encoded)).toEqual(macaroon)
      expect(decodeTokenText(vector.v2_base64url_nopad ?? '')).toEqual(macaroon)
      expect(verifyMacaroon(macaroon, deriveMacaroonKey(secret))).toBeDefined()
      expect(verifyMacaroon(macaroon, deriveMacaroonKey(utf8('another key')))).toBeUndefined()
    },
  )
})

describe('third-party vectors', () => {
  interface ThirdPartyVector {
    readonly name: string
    readonly root: Vector
  }
  const vectors = (JSON.parse(read('third_party.json')) as { vectors: ThirdPartyVector[] }).vectors
  const roots = vectors.flatMap(({ name, root }) => (root?.v2_hex === undefined ? [] : [[name, root] as const]))

  test.each(roots)('the root of "%s" is read, written again and authenticated', (_, root) => {
    const macaroon = decodeV2(unhex(root.v2_hex ?? ''))
    expect(hex(encodeV2(macaroon))).toBe(root.v2_hex)
    expect(macaroon.caveats.some(({ vid }) => vid !== undefined)).toBe(true)
    expect(verifyMacaroon(macaroon, deriveMacaroonKey(utf8(root.key_utf8)))).toBeDefined()
    expect(verifyMacaroon(macaroon, deriveMacaroonKey(utf8('another key')))).toBeUndefined()
  })
})

describe("libmacaroons' own test files", () => {
  const names = readdirSync(new URL('upstream/libmacaroons/', folder)).filter((name) => /_v2_.*\.vtest$/.test(name))

  test('all of the V2 ones are here', () => {
    expect(names).toHaveLength(8)
  })

  test.each(names)('%s has the outcome it states', (name) => {
    const lines = read(`upstream/libmacaroons/${name}`).split('\n')
    const word = (key: string): string[] => lines.filter((l) => l.startsWith(key)).map((l) => l.slice(key.length))
    const macaroon = decodeTokenText(lines.findLast((line) => /^[\w-]{20,}=*$/.test(line))?.replace(/=+$/, '') ?? '')
    const exact = word('exact ')
    const authentic = verifyMacaroon(macaroon, deriveMacaroonKey(utf8(word('key ')[0] ?? ''))) !== undefined
    const clears = macaroon.caveats.every(({ cid }) => exact.includes(Buffer.from(cid).toString('utf8')))
    expect(authentic && clears).toBe(lines.includes('authorized'))
  })

  test.each(['serialization_1', 'serialization_2', 'serialization_3'])('%s is read from its V2 line', (name) => {
    const line =
      read(`upstream/libmacaroons/${name}`)
        .split('\n')
        .find((text) => text.startsWith('v2 ')) ?? ''
    const bytes = decodeBase64Url(line.slice(3).replace(/=+$/, ''))
    expect(bytes).toBeDefined()
    expect(encodeV2(decodeV2(bytes ?? new Uint8Array()))).toEqual(bytes)
  })
})
