import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { decodeV2J } from '../../../shared/macaroon/v2j-reader.ts'
import { encodeV2J } from '../../../shared/macaroon/v2j-writer.ts'
import { macaroons } from './arbitraries.ts'

const SIGNATURE = `"s64":"${Buffer.alloc(32, 0xfb).toString('base64url')}"`
const VID = `"v64":"${Buffer.alloc(72, 0xfb).toString('base64url')}"`
const withCaveat = (caveat: string): string => `{"v":2,"i":"a","c":[${caveat}],${SIGNATURE}}`

function codeOf(source: string | Uint8Array): string {
  try {
    decodeV2J(source)
    return 'ok'
  } catch (error) {
    if (error instanceof MacaroondError) return error.code
    throw error
  }
}

describe('the V2J reader', () => {
  test.each([
    ['the least macaroon', `{"i":"",${SIGNATURE}}`],
    ['the order of libmacaroons', `{"v":2,"l":"x","i":"a","c":[],${SIGNATURE}}`],
    ['the order of Go, without v', `{"c":[{"i":"p"},{"i":"t",${VID},"l":"x"}],"l":"x","i":"a",${SIGNATURE}}`],
    ['white space', ` {\t"v" : 2 ,\r\n "i":"a","c": [ { "i" : "p" } ] , ${SIGNATURE} } \n`],
    ['escapes', `{"i":"\\u0061\\n\\/\\ud83d\\ude00",${SIGNATURE}}`],
    ['an escaped name of a member', `{"\\u0069":"a",${SIGNATURE}}`],
    ['base64 for text', `{"i64":"YQ","l64":"eA",${SIGNATURE}}`],
    ['the standard alphabet', `{"i":"a",${SIGNATURE.replaceAll('-', '+').replaceAll('_', '/')}}`],
    ['padding', `{"i64":"YQ==",${SIGNATURE.slice(0, -1)}="}`],
    ['a signature as text', `{"i":"a","s":"${'s'.repeat(32)}"}`],
    ['a third-party caveat', withCaveat(`{"i":"t","l":"x",${VID}}`)],
    ['a third-party caveat without a location', withCaveat(`{"i":"t",${VID}}`)],
  ])('takes %s', (_, text) => {
    expect(codeOf(text)).toBe('ok')
  })

  test.each([
    ['nothing', '', 'token_truncated'],
    ['an object that does not end', `{"i":"a",${SIGNATURE}`, 'token_truncated'],
    ['a string that does not end', '{"i":"a', 'token_truncated'],
    ['a value that is missing', '{"v":', 'token_truncated'],
    ['no signature', '{"v":2,"i":"a"}', 'token_field'],
    ['no identifier', `{"v":2,${SIGNATURE}}`, 'token_field'],
    ['a caveat without an identifier', withCaveat('{}'), 'token_field'],
    ['a member twice', `{"i":"a","i":"a",${SIGNATURE}}`, 'token_duplicate'],
    ['a member twice, once escaped', `{"i":"a","\\u0069":"b",${SIGNATURE}}`, 'token_duplicate'],
    ['v twice', `{"v":2,"v":2,"i":"a",${SIGNATURE}}`, 'token_duplicate'],
    ['c twice', `{"i":"a","c":[],"c":[],${SIGNATURE}}`, 'token_duplicate'],
    ['i and i64', `{"i":"a","i64":"YQ",${SIGNATURE}}`, 'token_duplicate'],
    ['l and l64', `{"i":"a","l":"x","l64":"eA",${SIGNATURE}}`, 'token_duplicate'],
    ['s and s64', `{"i":"a","s":"${'s'.repeat(32)}",${SIGNATURE}}`, 'token_duplicate'],
    ['v and v64 of a caveat', withCaveat(`{"i":"t","v":"x",${VID}}`), 'token_duplicate'],
    ['i and i64 of a caveat', withCaveat('{"i":"t","i64":"dA"}'), 'token_duplicate'],
    ['the version as a string', `{"v":"2","i":"a",${SIGNATURE}}`, 'token_json'],
    ['the version in another spelling', `{"v":2.0,"i":"a",${SIGNATURE}}`, 'token_json'],
    ['null for a version', `{"v":null,"i":"a",${SIGNATURE}}`, 'token_json'],
    ['another version', `{"v":1,"i":"a",${SIGNATURE}}`, 'token_unsupported'],
    ['a member that is not known', `{"i":"a","x":"y",${SIGNATURE}}`, 'token_json'],
    ['__proto__', `{"i":"a","__proto__":{"s":"x"},${SIGNATURE}}`, 'token_json'],
    ['constructor', `{"i":"a","constructor":"x",${SIGNATURE}}`, 'token_json'],
    ['a member named 64', `{"i":"a","64":"x",${SIGNATURE}}`, 'token_json'],
    ['a verifier id outside of a caveat', `{"i":"a",${VID},${SIGNATURE}}`, 'token_json'],
    ['a signature inside a caveat', withCaveat(`{"i":"t",${SIGNATURE}}`), 'token_json'],
    ['a number for text', `{"i":7,${SIGNATURE}}`, 'token_json'],
    ['null for text', `{"i":null,${SIGNATURE}}`, 'token_json'],
    ['an array', `[{"i":"a",${SIGNATURE}}]`, 'token_json'],
    ['caveats that are no array', `{"i":"a","c":{},${SIGNATURE}}`, 'token_json'],
    ['a caveat that is no object', withCaveat('"p"'), 'token_json'],
    ['caveats inside a caveat', withCaveat('{"i":"t","c":[]}'), 'token_json'],
    ['a comma too many', `{"i":"a",${SIGNATURE},}`, 'token_json'],
    ['single quotes', `{'i':'a',${SIGNATURE}}`, 'token_json'],
    ['a comment', `{/**/"i":"a",${SIGNATURE}}`, 'token_json'],
    ['a control character in a string', `{"i":"a\n",${SIGNATURE}}`, 'token_json'],
    ['an escape that JSON does not have', `{"i":"\\x61",${SIGNATURE}}`, 'token_json'],
    ['white space that JSON does not have', `\u00a0{"i":"a",${SIGNATURE}}`, 'token_json'],
    ['a byte order mark', `\ufeff{"i":"a",${SIGNATURE}}`, 'token_json'],
    ['half of a surrogate pair', `{"i":"\\ud83d",${SIGNATURE}}`, 'token_utf8'],
    ['an empty location', `{"i":"a","l":"",${SIGNATURE}}`, 'token_location'],
    ['a location on a first-party caveat', withCaveat('{"i":"p","l":"x"}'), 'token_location'],
    ['an empty verifier id', withCaveat('{"i":"t","v64":""}'), 'token_vid'],
    ['a short signature', '{"i":"a","s64":"AAAA"}', 'token_signature'],
    ['unused bits of base64', `{"i64":"YR",${SIGNATURE}}`, 'token_base64'],
    ['half of the padding', `{"i64":"YQ=",${SIGNATURE}}`, 'token_base64'],
    ['padding that is not needed', `{"i64":"YWFh=",${SIGNATURE}}`, 'token_base64'],
    ['both alphabets in one value', `{"i64":"-+-+",${SIGNATURE}}`, 'token_base64'],
    ['white space in base64', `{"i64":"YW Fh",${SIGNATURE}}`, 'token_base64'],
    ['something behind the object', `{"i":"a",${SIGNATURE}}{}`, 'token_trailing'],
    ['a NUL behind the object', `{"i":"a",${SIGNATURE}}\0`, 'token_trailing'],
    ["V1's JSON", '{"caveats":[],"location":"x","identifier":"a","signature":"00"}', 'token_unsupported'],
    ['the members of both versions', `{"i":"a","identifier":"b",${SIGNATURE}}`, 'token_unsupported'],
    ['101 caveats', withCaveat(Array(101).fill('{"i":"p"}').join(',')), 'token_too_large'],
    ['a caveat above its limit', withCaveat(`{"i":"${'p'.repeat(4_097)}"}`), 'token_too_large'],
    ['a megabyte', ' '.repeat(2 ** 20), 'token_too_large'],
    ['a thousand levels', '{"c":['.repeat(1_000), 'token_json'],
  ])('answers %s with its own code', (_, text, code) => {
    expect(codeOf(text)).toBe(code)
  })

  test('refuses bytes that are not UTF-8, overlong forms among them', () => {
    const [before = '', after = ''] = `{"i":"|",${SIGNATURE}}`.split('|')
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80]]) {
      expect(codeOf(Buffer.concat([Buffer.from(before), Uint8Array.from(bytes), Buffer.from(after)]))).toBe(
        'token_utf8',
      )
    }
    expect(codeOf(Buffer.from(before + after))).toBe('ok')
  })

  test('cut off anywhere is reported as truncated', () => {
    const text = withCaveat(`{"i":"t","l":"x",${VID}}`)
    for (let length = 0; length < text.length; length += 1) {
      expect([length, codeOf(text.slice(0, length))]).toEqual([length, 'token_truncated'])
    }
  })
})

describe('V2J as a code', () => {
  test('an encoded macaroon decodes to the same, as text and as bytes', () => {
    fc.assert(
      fc.property(macaroons, (macaroon) => {
        const text = encodeV2J(macaroon)
        expect(decodeV2J(text)).toEqual(macaroon)
        expect(decodeV2J(Buffer.from(text))).toEqual(macaroon)
        expect(text).not.toMatch(/[\\\n]/)
      }),
    )
  })

  test('means what any JSON parser makes of it', () => {
    fc.assert(
      fc.property(macaroons, (macaroon) => {
        const parsed: unknown = JSON.parse(encodeV2J(macaroon))
        expect(decodeV2J(JSON.stringify(parsed, null, 2))).toEqual(macaroon)
      }),
    )
  })
})
