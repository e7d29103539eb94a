/** Times on the command line are read as they are meant, or refused. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endTime, parseTtl } from '../../../ops/arguments/times.ts'
import { TTL_SECONDS_MAX } from '../../../shared/limits.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import type { Kid } from '../../../shared/ids.ts'
import { nextNonce, NONCE_RANDOM_BYTES, resumeNonces } from '../../../shared/macaroon/nonce.ts'

const ISSUED_MS = 1_800_000_000_000
const HOUR_MS = 3_600_000

function issued(expiresAt: number): Macaroon {
  const { nonce } = nextNonce(resumeNonces(0), ISSUED_MS, Buffer.alloc(NONCE_RANDOM_BYTES))
  const identifier = encodeIdentifier({ kid: '00112233445566ff' as Kid, nonce, expiresAt, ancestors: [], subject: 'a' })
  return createMacaroon({ derivedKey: Buffer.alloc(32, 1), location: 'x', identifier })
}

test('the end counts from now where the clock can be right', () => {
  expect(endTime(issued(0), 300, ISSUED_MS + HOUR_MS)).toEqual({ endsAt: 1_800_003_900, warnings: [] })
  // Two clocks are never the same.
  expect(endTime(issued(0), 300, ISSUED_MS - 1_000)).toEqual({ endsAt: 1_800_000_300, warnings: [] })
})

test('a clock two hours behind makes no token that is already expired, and gives a warning', () => {
  const { endsAt, warnings } = endTime(issued(0), 300, ISSUED_MS - 2 * HOUR_MS)
  expect(endsAt).toBe(1_800_000_300)
  expect(warnings).toEqual([
    expect.stringMatching(/2027-01-15T06:00:00Z, before the token was issued at 2027-01-15T08:0/),
  ])
})

test('an end after the token’s own expiry gives a warning, because it changes nothing', () => {
  const { warnings } = endTime(issued(1_800_000_100), 300, ISSUED_MS)
  expect(warnings).toEqual([expect.stringContaining('2027-01-15T08:01:40Z')])
})

test('the command knows and says nothing of a foreign macaroon', () => {
  const foreign = createMacaroon({ secret: Buffer.from('k'), location: '', identifier: Buffer.from('theirs') })
  expect(endTime(foreign, 60, ISSUED_MS)).toEqual({ endsAt: 1_800_000_060, warnings: [] })
})

describe('parseTtl', () => {
  test.each([
    ['0', 0],
    ['1s', 1],
    ['30s', 30],
    ['5m', 300],
    ['24h', 86_400],
    ['7d', 604_800],
    ['1w', 604_800],
  ])('reads %s', (text, seconds) => {
    expect(parseTtl(text)).toBe(seconds)
  })

  test.each([
    '',
    ' ',
    '5',
    '-5m',
    '+5m',
    '5 m',
    '5M',
    '5y',
    '1.5w',
    '1.5h',
    '1h30m',
    '00',
    '0s',
    '05m',
    'm',
    '1e3s',
    '٣m',
    '5m\n',
    'never',
  ])('refuses %j', (text) => {
    expect(() => parseTtl(text)).toThrow(expect.objectContaining({ code: 'usage' }))
  })

  test('refuses what no token may have, and says that it is too long', () => {
    expect(parseTtl('36500d')).toBe(TTL_SECONDS_MAX)
    expect(() => parseTtl('36501d')).toThrow(/too long/)
    expect(() => parseTtl('9999999999d')).toThrow(/too long/)
  })

  test('never gives a number that the primary would not take, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{1,12}[smhdw]?$/)), (text) => {
        try {
          const seconds = parseTtl(text)
          expect(Number.isSafeInteger(seconds) && seconds >= 0 && seconds <= TTL_SECONDS_MAX).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' })
        }
      }),
    )
  })
})
