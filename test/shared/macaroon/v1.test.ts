import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { TOKEN_BYTES_MAX } from '../../../shared/limits.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { decodeV1 } from '../../../shared/macaroon/v1-reader.ts'
import { encodeV1 } from '../../../shared/macaroon/v1-writer.ts'
import { damaged, macaroons } from './arbitraries.ts'

const packet = (key: string, value: string): string =>
  `${(value.length + key.length + 6).toString(16).padStart(4, '0')}${key} ${value}\n`
const SIGNATURE = packet('signature', 'Z'.repeat(32))
const HEADER = packet('location', 'here') + packet('identifier', 'id')
const VID = packet('vid', 'v'.repeat(72))

function codeOf(bytes: Uint8Array): string {
  try {
    decodeV1(bytes)
    return 'ok'
  } catch (error) {
    if (error instanceof MacaroondError) return error.code
    throw error
  }
}

const codeOfText = (text: string): string => codeOf(new Uint8Array(Buffer.from(text, 'latin1')))

describe('the V1 reader', () => {
  test.each([
    ['the least macaroon', packet('location', '') + packet('identifier', '') + SIGNATURE, 'ok'],
    ['a caveat', HEADER + packet('cid', 'a = b') + SIGNATURE, 'ok'],
    ['an empty caveat', HEADER + packet('cid', '') + SIGNATURE, 'ok'],
    ['a third-party caveat', HEADER + packet('cid', 'c') + VID + packet('cl', 'there') + SIGNATURE, 'ok'],
    ['a third-party caveat without a location', HEADER + packet('cid', 'c') + VID + SIGNATURE, 'ok'],
    ['newlines and spaces inside values', packet('location', ' \n') + packet('identifier', '\n\0 ') + SIGNATURE, 'ok'],
    ['nothing', '', 'token_malformed'],
    ['a part of a length', '001', 'token_truncated'],
    ['a packet that is cut off', HEADER.slice(0, -1), 'token_truncated'],
    ['no signature', HEADER, 'token_truncated'],
    ['a signature that is cut off', HEADER + SIGNATURE.slice(0, -1), 'token_truncated'],
    ['a length past the end', `ffff${HEADER.slice(4)}`, 'token_truncated'],
    ['a length of 0000, on which libmacaroons never ends', `0000${HEADER.slice(4)}${SIGNATURE}`, 'token_length'],
    ['a length of 0000 behind the header', `${HEADER}0000${SIGNATURE}`, 'token_length'],
    ['a length shorter than a packet', `0006x \n${HEADER}`, 'token_length'],
    ['a length in capitals', HEADER + SIGNATURE.replace('002f', '002F'), 'token_length'],
    ['a length with a sign', HEADER + SIGNATURE.replace('002f', '+02f'), 'token_length'],
    ['a length with a space', HEADER + SIGNATURE.replace('002f', ' 02f'), 'token_length'],
    ['no newline at the end of a packet', HEADER + SIGNATURE.replace(/\n$/, 'x'), 'token_field'],
    ['a length one too short', HEADER.replace('0012', '0011') + SIGNATURE, 'token_field'],
    ['no space behind a name', HEADER.replace('location ', 'location=') + SIGNATURE, 'token_field'],
    ['a name in capitals', HEADER.replace('location', 'Location') + SIGNATURE, 'token_field'],
    ['a name that is not known', HEADER + packet('caveat', 'c') + SIGNATURE, 'token_field'],
    ['a name from the prototype', HEADER + packet('toString', 'c') + SIGNATURE, 'token_field'],
    ['no location', packet('identifier', 'id') + SIGNATURE, 'token_field'],
    ['no identifier', packet('location', '') + SIGNATURE, 'token_field'],
    [
      'a location behind the identifier',
      packet('identifier', 'id') + packet('location', 'l') + SIGNATURE,
      'token_field',
    ],
    ['a verifier id before its caveat', HEADER + VID + packet('cid', 'c') + SIGNATURE, 'token_field'],
    [
      'a location of a caveat before its verifier id',
      HEADER + packet('cid', 'c') + packet('cl', 'l') + VID + SIGNATURE,
      'token_location',
    ],
    ['two locations', packet('location', 'here') + HEADER + SIGNATURE, 'token_duplicate'],
    ['two identifiers', HEADER + packet('identifier', 'id') + SIGNATURE, 'token_duplicate'],
    ['two verifier ids', HEADER + packet('cid', 'c') + VID + VID + SIGNATURE, 'token_duplicate'],
    [
      'a location on a first-party caveat',
      HEADER + packet('cid', 'c') + packet('cl', 'l') + SIGNATURE,
      'token_location',
    ],
    [
      'an empty location of a caveat',
      HEADER + packet('cid', 'c') + VID + packet('cl', '') + SIGNATURE,
      'token_location',
    ],
    ['an empty verifier id', HEADER + packet('cid', 'c') + packet('vid', '') + SIGNATURE, 'token_vid'],
    ['a verifier id of 71 bytes', HEADER + packet('cid', 'c') + packet('vid', 'v'.repeat(71)) + SIGNATURE, 'token_vid'],
    ['a signature of 31 bytes', HEADER + packet('signature', 'Z'.repeat(31)), 'token_signature'],
    ['an empty signature', HEADER + packet('signature', ''), 'token_signature'],
    ['a location that is not UTF-8', packet('location', '\xff') + packet('identifier', 'i') + SIGNATURE, 'token_utf8'],
    [
      'a location in overlong UTF-8',
      packet('location', '\xc0\xaf') + packet('identifier', 'i') + SIGNATURE,
      'token_utf8',
    ],
    ['bytes behind the signature', `${HEADER}${SIGNATURE}\n`, 'token_trailing'],
    ['a second signature', HEADER + SIGNATURE + SIGNATURE, 'token_trailing'],
    [
      'an identifier above its limit',
      packet('location', '') + packet('identifier', 'i'.repeat(5_000)),
      'token_too_large',
    ],
  ])('answers %s with its own code', (_, text, code) => {
    expect(codeOfText(text)).toBe(code)
  })

  test('takes 100 caveats and not one more', () => {
    const caveat = packet('cid', 'c')
    expect(codeOfText(HEADER + caveat.repeat(100) + SIGNATURE)).toBe('ok')
    expect(codeOfText(HEADER + caveat.repeat(101) + SIGNATURE)).toBe('token_too_large')
  })

  test('refuses a megabyte by its size, before reading it', () => {
    expect(codeOf(new Uint8Array(TOKEN_BYTES_MAX + 1).fill(0x30))).toBe('token_too_large')
  })

  test('keeps nothing of the bytes it was given', () => {
    const bytes = new Uint8Array(Buffer.from(HEADER + SIGNATURE, 'latin1'))
    const macaroon = decodeV1(bytes)
    bytes.fill(0)
    expect(Buffer.from(macaroon.identifier).toString()).toBe('id')
    expect(macaroon.identifier.buffer).not.toBe(bytes.buffer)
  })
})

describe('V1 as a code', () => {
  test('an encoded macaroon decodes to the same', () => {
    fc.assert(
      fc.property(macaroons, (macaroon) => {
        expect(decodeV1(encodeV1(macaroon))).toEqual(macaroon)
      }),
    )
  })

  test('a macaroon has one encoding that is accepted, whatever is done to the bytes', () => {
    let accepted = 0
    let refused = 0
    fc.assert(
      fc.property(
        damaged(
          encodeV1,
          Array.from('0123456789abcdfF \nciduvl', (c) => c.charCodeAt(0)),
        ),
        (bytes) => {
          if (codeOf(bytes) !== 'ok') {
            refused += 1
            return
          }
          accepted += 1
          expect(encodeV1(decodeV1(bytes))).toEqual(bytes)
        },
      ),
      { numRuns: 5_000 },
    )
    // The generator must reach both sides, or the property says nothing.
    expect(Math.min(accepted, refused)).toBeGreaterThan(250)
  })

  test('a packet longer than its length can say is not written', () => {
    const macaroon = createMacaroon({ secret: Buffer.from('k'), identifier: 'i' })
    expect(() => encodeV1(attenuate(macaroon, ['x'.repeat(65_526)]))).not.toThrow()
    const tooLong = attenuate(macaroon, ['x'.repeat(65_527)])
    expect(() => encodeV1(tooLong)).toThrow(expect.objectContaining({ code: 'token_too_large' }))
  })
})
