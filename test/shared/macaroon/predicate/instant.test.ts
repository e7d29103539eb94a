import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDuration, parseInstant } from '../../../../shared/macaroon/predicate/instant.ts'

describe('points in time', () => {
  test.each([
    ['0', 0],
    ['1700000000', 1_700_000_000_000],
    ['100000000000', 1e14],
    ['2026-12-01T00:00:00Z', Date.UTC(2026, 11, 1)],
    ['2026-12-01T00:00:00+00:00', Date.UTC(2026, 11, 1)],
    ['2026-12-01T01:30:00+01:30', Date.UTC(2026, 11, 1)],
    ['2026-11-30T19:00:00-05:00', Date.UTC(2026, 11, 1)],
    ['2026-12-01T00:00:00.5Z', Date.UTC(2026, 11, 1) + 500],
    ['2026-12-01T00:00:00.000000001Z', Date.UTC(2026, 11, 1) + 1e-6],
    ['2026-12-01T00:00Z', Date.UTC(2026, 11, 1)],
    ['2026-12-01T01:00+01', Date.UTC(2026, 11, 1)],
    ['2026-12-01T01:00:00+01', Date.UTC(2026, 11, 1)],
    ['2024-02-29T12:00:00Z', Date.UTC(2024, 1, 29, 12)],
    ['1969-12-31T23:59:59Z', -1000],
  ])('%s', (text, ms) => {
    expect(parseInstant(text)).toBeCloseTo(ms, 3)
  })

  test.each([
    '100000000001',
    '1700000000000',
    '-1',
    '+1700000000',
    '1.7e9',
    '2026-12-01',
    '2026-12-01T00:00:00',
    '2026-12-01T00:00',
    '2026-12-01T00Z',
    '2026-12-01T00:00.5Z',
    '2026-12-01 00:00:00Z',
    '2026-12-01t00:00:00z',
    '2026-12-01T24:00:00Z',
    '2026-12-01T23:59:60Z',
    '2026-02-29T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-12-01T00:00:00.Z',
    '2026-12-01T00:00:00.1234567890Z',
    '2026-12-01T00:00:00+24:00',
    '2026-12-01T00:00:00+01:60',
    '2026-12-01T00:00:00+0100',
    '2026-12-01T00:00:00 UTC',
    '+02026-12-01T00:00:00Z',
    'tomorrow',
    '',
  ])('%j is no point in time', (text) => {
    expect(parseInstant(text)).toBeUndefined()
  })

  test('every date that JavaScript writes is read as itself', () => {
    const dates = fc.date({
      min: new Date('0000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(dates, (date) => {
        expect(parseInstant(date.toISOString())).toBeCloseTo(date.getTime(), 3)
      }),
    )
  })

  test('durations have a unit', () => {
    expect([parseDuration('500ms'), parseDuration('5s'), parseDuration('0ms')]).toEqual([500, 5000, 0])
    for (const text of ['5', '5m', '5 s', '05s', '1.5s', '-1s', 's', '']) expect(parseDuration(text)).toBeUndefined()
  })
})
