/** A token expires by the earliest of all its times, and the reader learns by which. */
import { expect, test } from 'vitest'
import { expiryOf, expiryText, withDate } from '../../../ops/arguments/expiry.ts'
import { earliestExpiry } from '../../../shared/macaroon/expiry.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'

const OWN = 1_800_000_000

test.each([
  [OWN, [], '2027-01-15T08:00:00.000Z'],
  [OWN, ['time < 1800000001', 'op = read'], '2027-01-15T08:00:00.000Z'],
  [OWN, ['time < 1799999999'], '2027-01-15T07:59:59.000Z, by the caveat time < 1799999999'],
  [
    OWN,
    ['time < 1799999999', 'time <= 2026-11-01T01:00:00+01:00'],
    '2026-11-01T00:00:00.000Z, by the caveat time <= 2026-11-01T01:00:00+01:00',
  ],
  [0, ['time-before 2026-11-01T00:00:00Z'], '2026-11-01T00:00:00.000Z, by the caveat time-before 2026-11-01T00:00:00Z'],
  // A lower bound lets nothing expire, and what is not understood has no time.
  [0, ['time > 1', 'time? < 5', 'time < soon', '', 'note = time < 5'], 'never'],
] as const)('a token of %d with %j expires %s', (own, caveats, text) => {
  expect(expiryText(earliestExpiry(own, caveats))).toBe(text)
})

test('a macaroon of another program expires by its caveats alone', () => {
  const foreign = createMacaroon({ secret: Buffer.from('k'), location: '', identifier: Buffer.from('theirs') })
  expect(expiryOf(foreign)).toBeUndefined()
})

test('unix seconds in a caveat have their date beside them, and nothing else changes', () => {
  expect(withDate('time < 1800000000')).toBe('time < 1800000000 (2027-01-15T08:00:00Z)')
  expect(withDate('a time >= 1800000000')).toBe('a time >= 1800000000 (2027-01-15T08:00:00Z)')
  for (const same of ['time < 2027-01-15T08:00:00Z', 'size < 1800000000', 'time < 99999999999999'])
    expect(withDate(same)).toBe(same)
})
