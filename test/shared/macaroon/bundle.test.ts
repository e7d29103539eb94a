import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { BUNDLE_BYTES_MAX, DISCHARGES_MAX } from '../../../shared/limits.ts'
import { decodeBundle, encodeBundle, readBundle } from '../../../shared/macaroon/bundle.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { encodeText } from '../../../shared/macaroon/text.ts'
import { macaroons } from './arbitraries.ts'

const macaroon = createMacaroon({ derivedKey: new Uint8Array(32), identifier: 'a~b' })
const text = encodeText(macaroon, 'text')
const json = encodeText(macaroon, 'v2j')

function codeOf(bundle: unknown): string {
  try {
    decodeBundle(bundle as string)
    return 'ok'
  } catch (error) {
    if (error instanceof MacaroondError) return error.code
    throw error
  }
}

describe('a bundle', () => {
  test('is read back in its order, each part in any text form', () => {
    const part = fc.tuple(macaroons, fc.constantFrom('v1', 'v2', 'v2j', 'text'))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const bundle = parts.map(([m, format]) => encodeText(m, format)).join('~')
        expect(readBundle(bundle)).toEqual(parts.map(([m, format]) => ({ macaroon: m, format })))
      }),
    )
  })

  test("is written inside the alphabet of RFC 6750's b64token", () => {
    const bundle = encodeBundle([macaroon, macaroon])
    expect(bundle).toMatch(/^[A-Za-z0-9._~+/-]+=*$/)
    expect(decodeBundle(bundle)).toEqual([macaroon, macaroon])
  })

  test('may have a ~, braces and escaped quotes inside strings of V2J', () => {
    expect(json).toContain('~')
    expect(decodeBundle(`${json}~${text} `.trim())).toEqual([macaroon, macaroon])
    const tricky = json.replace('a~b', 'a~b}{\\"~\\\\')
    expect(decodeBundle(`${tricky}~ ${tricky}\n~${text}`)).toHaveLength(3)
  })

  test.each([
    ['nothing', '', 'token_malformed'],
    ['no text at all', undefined, 'token_malformed'],
    ['a separator alone', '~', 'bundle_malformed'],
    ['a separator in front', `~${text}`, 'bundle_malformed'],
    ['a separator at the end', `${text}~`, 'bundle_malformed'],
    ['two separators', `${text}~~${text}`, 'bundle_malformed'],
    ['white space round a part', `${text}~ ${text}`, 'token_base64'],
    ['a part that is cut off', `${text}~${text.slice(0, -1)}`, 'token_truncated'],
    ['JSON that does not end', `${json.slice(0, -1)}~${text}`, 'token_json'],
    ['a string that does not end', '{"i":"a\\', 'token_truncated'],
    ['something between JSON and the separator', `${json}x~${text}`, 'token_trailing'],
    ['the discharges of another kind', `${text}~fm2_lJPE`, 'token_unsupported'],
  ])('refuses %s with its own code', (_, bundle, code) => {
    expect(codeOf(bundle)).toBe(code)
  })

  test('has at most as many discharges and characters as the limits say', () => {
    const tiny = encodeText(macaroon, 'v2')
    expect(codeOf([tiny, ...Array<string>(DISCHARGES_MAX).fill(tiny)].join('~'))).toBe('ok')
    expect(codeOf([tiny, ...Array<string>(DISCHARGES_MAX + 1).fill(tiny)].join('~'))).toBe('token_too_large')
    expect(codeOf(Array<string>(10_000).fill('A').join('~'))).toBe('token_too_large')
    expect(codeOf('~'.repeat(BUNDLE_BYTES_MAX))).toBe('token_too_large')
    expect(codeOf('A'.repeat(BUNDLE_BYTES_MAX + 1))).toBe('token_too_large')
    expect(() => encodeBundle(Array.from({ length: DISCHARGES_MAX + 2 }, () => macaroon))).toThrow(MacaroondError)
    expect(() => encodeBundle([])).toThrow(MacaroondError)
  })
})
