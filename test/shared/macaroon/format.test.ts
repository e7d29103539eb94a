import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { decodeMacaroon, encodeMacaroon, MACAROON_FORMATS, sniffFormat } from '../../../shared/macaroon/format.ts'
import { macaroons } from './arbitraries.ts'

describe('formats', () => {
  test('are told apart by their bytes, and read as what they are', () => {
    fc.assert(
      fc.property(macaroons, fc.constantFrom(...MACAROON_FORMATS), (macaroon, format) => {
        const bytes = encodeMacaroon(macaroon, format)
        expect(sniffFormat(bytes)).toBe(format)
        expect(decodeMacaroon(bytes)).toEqual(macaroon)
      }),
    )
  })

  test('share no first byte', () => {
    const formats = Array.from({ length: 256 }, (_, byte) => sniffFormat(Uint8Array.of(byte)))
    expect(formats.filter((format) => format === 'v2')).toHaveLength(1)
    expect(formats.filter((format) => format === 'v1')).toHaveLength(22)
    expect(formats.filter((format) => format === 'v2j')).toHaveLength(1)
  })

  test.each([
    ['nothing', ''],
    ['version 3', '\x03'],
    ['text', 'mcn1_AgI.00000000'],
    ['white space', ' \n'],
  ])('do not include %s', (_, text) => {
    expect(sniffFormat(Buffer.from(text))).toBeUndefined()
    expect(() => decodeMacaroon(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'token_malformed' }))
  })

  test('a fault in any bytes is one of the documented codes', () => {
    fc.assert(
      fc.property(fc.constantFrom(0x02, 0x30, 0x7b), fc.uint8Array({ maxLength: 100 }), (first, rest) => {
        let caught: unknown
        try {
          decodeMacaroon(Uint8Array.of(first, ...rest))
        } catch (error) {
          caught = error
        }
        expect(caught).toBeInstanceOf(MacaroondError)
        expect((caught as MacaroondError).code).toMatch(/^token_/)
      }),
      { numRuns: 2_000 },
    )
  })
})
