import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { TOKEN_BYTES_MAX } from '../../../shared/limits.ts'
import { decodeV2 } from '../../../shared/macaroon/v2-reader.ts'
import { encodeV2 } from '../../../shared/macaroon/v2-writer.ts'
import { damagedEncodings, macaroons } from './arbitraries.ts'

const SIGNATURE = '0620' + '5a'.repeat(32)
const VID = '0448' + '11'.repeat(72)

function codeOf(hex: string): string {
  return decoded(new Uint8Array(Buffer.from(hex, 'hex')))
}

function decoded(bytes: Uint8Array): string {
  try {
    decodeV2(bytes)
    return 'ok'
  } catch (error) {
    if (error instanceof MacaroondError) return error.code
    throw error
  }
}

describe('the V2 reader', () => {
  test.each([
    ['the least macaroon', `0202000000${SIGNATURE}`, 'ok'],
    ['a location and a caveat', `02010161020162000201630000${SIGNATURE}`, 'ok'],
    ['a third-party caveat', `0202000001016c020163${VID}0000${SIGNATURE}`, 'ok'],
    ['a third-party caveat without a location', `02020000020163${VID}0000${SIGNATURE}`, 'ok'],
    ['nothing', '', 'token_malformed'],
    ['a version alone', '02', 'token_truncated'],
    ['a signature that is cut off', `0202000000${SIGNATURE.slice(0, -2)}`, 'token_truncated'],
    ['no signature', '0202000000', 'token_truncated'],
    ['bytes behind the signature', `0202000000${SIGNATURE}00`, 'token_trailing'],
    ['a second signature', `0202000000${SIGNATURE}${SIGNATURE}`, 'token_trailing'],
    ['an empty signature', '02020000000600', 'token_signature'],
    ['a signature of 31 bytes', `0202000000061f${'5a'.repeat(31)}`, 'token_signature'],
    ['a signature of 33 bytes', `02020000000621${'5a'.repeat(33)}`, 'token_signature'],
    ['a length in two bytes where one is enough', `0202800000 00${SIGNATURE}`.replace(' ', ''), 'token_length'],
    ['a length in five bytes', `020280808080000000${SIGNATURE}`, 'token_length'],
    ['a field type in two bytes', `0282000000 00${SIGNATURE}`.replace(' ', ''), 'token_field'],
    ['an empty location', `0201000200 0000${SIGNATURE}`.replace(' ', ''), 'token_location'],
    ['a location behind the identifier', `02020162010161 0000${SIGNATURE}`.replace(' ', ''), 'token_field'],
    ['two locations', `020101610101610201620000${SIGNATURE}`, 'token_duplicate'],
    ['two identifiers', `0202016202016200 00${SIGNATURE}`.replace(' ', ''), 'token_duplicate'],
    ['no identifier', `020000${SIGNATURE}`, 'token_field'],
    ['a location that is not UTF-8', `020101ff0201620000${SIGNATURE}`, 'token_utf8'],
    ['a location in overlong UTF-8', `020102c0af0201620000${SIGNATURE}`, 'token_utf8'],
    ['a location on a first-party caveat', `0202000001016c0201630000${SIGNATURE}`, 'token_location'],
    ['an empty verifier id', `0202000002016304000000${SIGNATURE}`, 'token_vid'],
    ['a verifier id of 71 bytes', `020200000201630447${'11'.repeat(71)}0000${SIGNATURE}`, 'token_vid'],
    ['a verifier id before its caveat', `02020000${VID}0201630000${SIGNATURE}`, 'token_field'],
    ['two verifier ids', `02020000020163${VID}${VID}0000${SIGNATURE}`, 'token_duplicate'],
    ['two locations of a caveat', `0202000001016c01016c020163${VID}0000${SIGNATURE}`, 'token_duplicate'],
    ['a verifier id of 73 bytes', `020200000201630449${'11'.repeat(73)}0000${SIGNATURE}`, 'token_vid'],
    ['an unknown field', `02020000020163030161 0000${SIGNATURE}`.replace(' ', ''), 'token_field'],
    ['a length past the end', '0202ff07', 'token_truncated'],
    ['an identifier above its limit', '0202ff7f', 'token_too_large'],
    ['a length of 256 MiB', '0202ffffff7f', 'token_too_large'],
    ['version 3', `0302000000${SIGNATURE}`, 'token_malformed'],
    ['V1', Buffer.from('0021location http://example.org/\n').toString('hex'), 'token_malformed'],
    ['JSON', Buffer.from('{"v":2}').toString('hex'), 'token_malformed'],
  ])('answers %s with its own code', (_, hex, code) => {
    expect(codeOf(hex)).toBe(code)
  })

  test('takes 100 caveats and not one more', () => {
    const caveat = '02016300'
    expect(codeOf(`02020000${caveat.repeat(100)}00${SIGNATURE}`)).toBe('ok')
    expect(codeOf(`02020000${caveat.repeat(101)}00${SIGNATURE}`)).toBe('token_too_large')
  })

  test('refuses a megabyte and 100,000 caveats by their size, before reading them', () => {
    expect(decoded(new Uint8Array(TOKEN_BYTES_MAX + 1).fill(2))).toBe('token_too_large')
    expect(codeOf(`02020000${'02016300'.repeat(100_000)}00${SIGNATURE}`)).toBe('token_too_large')
  })

  test('keeps nothing of the bytes it was given', () => {
    const bytes = new Uint8Array(Buffer.from(`020201620000${SIGNATURE}`, 'hex'))
    const macaroon = decodeV2(bytes)
    bytes.fill(0)
    expect(Buffer.from(macaroon.identifier).toString()).toBe('b')
  })
})

describe('V2 as a code', () => {
  test('an encoded macaroon decodes to the same', () => {
    fc.assert(
      fc.property(macaroons, (macaroon) => {
        expect(decodeV2(encodeV2(macaroon))).toEqual(macaroon)
      }),
    )
  })

  test('a macaroon has one encoding that is accepted, whatever is done to the bytes', () => {
    let accepted = 0
    let refused = 0
    fc.assert(
      fc.property(damagedEncodings, (bytes) => {
        if (decoded(bytes) !== 'ok') {
          refused += 1
          return
        }
        accepted += 1
        expect(encodeV2(decodeV2(bytes))).toEqual(bytes)
      }),
      { numRuns: 5_000 },
    )
    // The generator must reach both sides, or the property says nothing.
    expect(Math.min(accepted, refused)).toBeGreaterThan(250)
  })
})
