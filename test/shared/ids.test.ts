import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  checksum,
  checksumText,
  epoch,
  kid,
  nonce,
  parseChecksum,
  parseTokenId,
  parseTxid,
  timeline,
  tokenId,
  txid,
  txidText,
} from '../../shared/ids.ts'
import { codeOf } from './code-of.ts'

test('every txid and every checksum has one text form, which reads back', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (number, sum) => {
      expect(parseTxid(txidText(txid(number)))).toBe(number)
      expect(parseChecksum(checksumText(checksum(sum)))).toBe(sum)
    }),
  )
})

test('other texts of the same number are refused', () => {
  for (const text of ['1', '0x0000000000000001', '000000000000000A', ' 0000000000000001', '0000000000000001\n', '']) {
    expect(codeOf(() => parseTxid(text))).toBe('request_invalid')
    expect(codeOf(() => parseChecksum(text))).toBe('request_invalid')
  }
})

test('numbers outside of an id are refused instead of rounded', () => {
  for (const value of [-1, 0.5, Number.NaN, Infinity, 2 ** 53])
    expect(codeOf(() => txid(value))).toBe('request_invalid')
  for (const value of [-1, 0.5, 2 ** 32]) expect(codeOf(() => epoch(value))).toBe('request_invalid')
  for (const value of [-1n, 2n ** 64n]) expect(codeOf(() => checksum(value))).toBe('request_invalid')
  expect(codeOf(() => parseTxid('ffffffffffffffff'))).toBe('request_invalid')
})

test('a token id is a kid and a nonce, and nothing else', () => {
  const id = tokenId(kid('a'.repeat(16)), nonce('b'.repeat(32)))
  expect(parseTokenId(id)).toEqual({ kid: 'a'.repeat(16), nonce: 'b'.repeat(32) })
  for (const text of ['', '.', id.toUpperCase(), `${id}.`, `${id}0`, id.slice(1), id.replace('.', ''), `${id}\n`]) {
    expect(codeOf(() => parseTokenId(text))).toBe('request_invalid')
  }
})

test('an error repeats a bounded part of what was wrong', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 200, maxLength: 5000 }), (text) => {
      for (const parse of [parseTxid, parseChecksum, kid, nonce, timeline, parseTokenId]) {
        try {
          parse(text)
        } catch (error) {
          expect(String(error).length).toBeLessThan(200)
        }
      }
    }),
  )
})
