import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTtl } from '../../../ops/arguments/duration.ts'
import { TTL_SECONDS_MAX } from '../../../shared/limits.ts'

describe('parseTtl', () => {
  it.each([
    ['0', 0],
    ['1s', 1],
    ['30s', 30],
    ['5m', 300],
    ['24h', 86_400],
    ['7d', 604_800],
  ])('reads %s', (text, seconds) => {
    expect(parseTtl(text)).toBe(seconds)
  })

  it.each([
    '',
    ' ',
    '5',
    '-5m',
    '+5m',
    '5 m',
    '5M',
    '5w',
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

  it('refuses what no token may have, and says that it is too long', () => {
    expect(parseTtl('36500d')).toBe(TTL_SECONDS_MAX)
    expect(() => parseTtl('36501d')).toThrow(/too long/)
    expect(() => parseTtl('9999999999d')).toThrow(/too long/)
  })

  it('never gives a number that the primary would not take, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{1,12}[smhd]?$/)), (text) => {
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
