import { expect, test } from 'vitest'
import { endTime } from '../../../ops/arguments/end-time.ts'
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
