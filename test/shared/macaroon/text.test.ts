import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeText, encodeTokenText, readTokenText } from '../../../shared/macaroon/text.ts'
import { macaroons } from './arbitraries.ts'

const macaroon = attenuate(createMacaroon({ derivedKey: new Uint8Array(32), identifier: 'identifier' }), ['op = read'])
const text = encodeTokenText(macaroon)
const plain = text.slice(5, -9)

function codeOf(token: unknown): string {
  try {
    decodeTokenText(token as string)
    return 'ok'
  } catch (error) {
    if (error instanceof MacaroondError) return error.code
    throw error
  }
}

const withChecksum = (body: string): string => `mcn1_${body}.${crc32(body).toString(16).padStart(8, '0')}`

describe('the text form', () => {
  test('is read back, with its prefix and as plain base64url', () => {
    fc.assert(
      fc.property(macaroons, (m) => {
        expect(decodeTokenText(encodeTokenText(m))).toEqual(m)
      }),
    )
    expect(decodeTokenText(plain)).toEqual(macaroon)
  })

  test('is told apart from the forms of other libraries, which are read as well', () => {
    fc.assert(
      fc.property(macaroons, fc.constantFrom('v1', 'v2', 'v2j', 'text'), (m, format) => {
        expect(readTokenText(encodeText(m, format))).toEqual({ format, macaroon: m })
      }),
    )
    const json = encodeText(macaroon, 'v2j')
    expect(readTokenText(`\r\n\t ${json} \n`)).toEqual({ format: 'v2j', macaroon })
    expect(readTokenText(Buffer.from(json).toString('base64url'))).toEqual({ format: 'v2j', macaroon })
  })

  test("stays inside the alphabet of RFC 6750's b64token", () => {
    expect(text).toMatch(/^mcn1_[A-Za-z0-9_-]+\.[0-9a-f]{8}$/)
    expect(text).toMatch(/^[A-Za-z0-9._~+/-]+=*$/)
  })

  test('cut off anywhere is reported as truncated', () => {
    for (let length = 1; length < text.length; length += 1) {
      expect([length, codeOf(text.slice(0, length))]).toEqual([length, 'token_truncated'])
    }
  })

  test('with any one character mistyped is reported as damaged', () => {
    for (let at = 5; at < text.length; at += 1) {
      const typed = text[at] === '7' ? '8' : '7'
      const code = codeOf(text.slice(0, at) + typed + text.slice(at + 1))
      // Without the dot there is no checksum any more.
      expect([at, code]).toEqual([at, text[at] === '.' ? 'token_truncated' : 'token_damaged'])
    }
  })

  test('plain and cut off is reported as truncated as soon as whole bytes are missing', () => {
    expect(codeOf(plain.slice(0, 40))).toBe('token_truncated')
    expect(codeOf('mcn')).toBe('token_truncated')
  })

  test.each([
    ['nothing', '', 'token_malformed'],
    ['no text at all', undefined, 'token_malformed'],
    ['a number', 7, 'token_malformed'],
    ['padding', `${plain}==`, 'token_base64'],
    ['a line break', `${plain.slice(0, 20)}\n${plain.slice(20)}`, 'token_base64'],
    ['a space behind it', `${plain} `, 'token_base64'],
    ['a NUL byte behind it', `${plain}\0`, 'token_base64'],
    ['the other base64 alphabet', plain.replace(/./, '+'), 'token_base64'],
    ['a letter beyond ASCII', withChecksum(`${plain}é`), 'token_base64'],
    [
      'a letter that shares its low byte with one of the alphabet',
      withChecksum(plain.replace('A', '\u0141')),
      'token_base64',
    ],
    ['a right checksum over a wrong alphabet', withChecksum(`${plain}=`), 'token_base64'],
    ['a right checksum over nothing', withChecksum(''), 'token_malformed'],
    ['a right checksum over V1', withChecksum(encodeText(macaroon, 'v1')), 'token_malformed'],
  ])('refuses %s', (_, token, code) => {
    expect(codeOf(token)).toBe(code)
  })

  test('refuses unused bits at the end of base64url', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (const caveat of ['x', 'xx', 'xxx']) {
      const body = encodeTokenText(attenuate(macaroon, [caveat])).slice(5, -9)
      const spellings = Array.from(alphabet, (letter) => body.slice(0, -1) + letter)
      const accepted = spellings.filter((spelling) => codeOf(spelling) === 'ok')
      // Four letters hold three bytes; three leave 2 bits unused, two leave 4: those must be zero.
      expect(accepted).toHaveLength([64, 0, 4, 16][body.length % 4] ?? 0)
      expect(new Set(accepted.map((text) => Buffer.from(text, 'base64url').toString('hex'))).size).toBe(accepted.length)
    }
  })

  test.each([
    [
      'a checksum in capitals',
      text.slice(0, -8) +
        text
          .slice(-8)
          .toUpperCase()
          .replace(/^[0-9]+$/, 'ABCDEF00'),
    ],
    ['characters behind the checksum', `${text}0`],
    ['a line break behind it', `${text}\n`],
  ])('refuses %s as damaged', (_, token) => {
    expect(codeOf(token)).toBe('token_damaged')
  })

  test.each([
    ['a bundle', `${text}~${text}`, 'bundle'],
    ['a bundle of plain macaroons', `${plain}~${plain}`, 'bundle'],
    ['a Fly token', 'fm2_lJPECAAAAAAAAA==,fm2_abc', 'Fly.io'],
    ['an old Fly token', 'fm1r_lJPECAAAAAAAAA', 'Fly.io'],
    ['a Fly discharge', 'fm1a_lJPECAAAAAAAAA', 'Fly.io'],
    ['a newer text form', 'mcn2_AgI.00000000', 'newer'],
    ['V1 without base64', '0015identifier keyid\n', 'V1'],
    ['V1 JSON', '{"caveats":[],"location":"","identifier":"a","signature":"00"}', 'JSON'],
    ['an authorization header', `Bearer ${text}`, 'header'],
    ['a JSON Web Token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'JSON Web Token'],
  ])('names %s as unsupported', (_, token, name) => {
    expect(codeOf(token)).toBe('token_unsupported')
    expect(() => decodeTokenText(token)).toThrow(name)
  })

  test('refuses a megabyte by its length', () => {
    expect(codeOf('A'.repeat(2 ** 20))).toBe('token_too_large')
    expect(codeOf(`mcn1_${'A'.repeat(2 ** 20)}`)).toBe('token_too_large')
  })

  test('is never written for a macaroon that no verifier would read', () => {
    const large = attenuate(macaroon, ['x'.repeat(5_000)])
    expect(() => encodeTokenText(large)).toThrow(expect.objectContaining({ code: 'token_too_large' }))
  })

  test('fails with one of its codes on any text', () => {
    const pieces = fc.oneof(
      fc.string(),
      fc.constantFrom('mcn1_', '.', '~', text, plain, '{', 'fm2_', '='),
      fc.string({ unit: 'binary' }),
    )
    const texts = fc.array(pieces, { maxLength: 5 }).map((list) => list.join(''))
    fc.assert(
      fc.property(texts, (token) => {
        expect(codeOf(token)).toMatch(/^(ok|token_\w+)$/)
      }),
      { numRuns: 3_000 },
    )
  })
})
