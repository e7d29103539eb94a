/** Points in time on the command line: what is read, what is refused with which hint, and what is printed back. */
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { readMoment, momentText, parseMoment, readPastMoment } from '../../../ops/arguments/moments.ts'
import { Terminal } from '../../../ops/terminal.ts'
import { capture } from '../streams.ts'

const NOW_MS = Date.parse('2026-11-25T14:00:00Z')
const NOVEMBER = Date.UTC(2026, 10, 1)
const read = (text: string, utc = false): number => parseMoment('--before', text, { nowMs: NOW_MS, utc })

const zone = process.env['TZ']
afterEach(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

describe('a point in time', () => {
  test.each([
    ['2026-11-01T00:00:00Z', NOVEMBER],
    ['2026-11-01T01:00:00.0019+01:00', NOVEMBER + 1],
    ['1793491200', 1_793_491_200_000],
    ['1000000000', 1_000_000_000_000],
    // A date is its first moment.
    ['2026-11-01Z', NOVEMBER],
    ['2026-11-01 Z', NOVEMBER],
    ['2026-11-01 UTC', NOVEMBER],
    ['2026-11-01 +01:00', NOVEMBER - 3_600_000],
    ['2026-11-01-05', NOVEMBER + 5 * 3_600_000],
    ['2026-11-01 14:30 +01:00', NOVEMBER + 13.5 * 3_600_000],
    ['2026-11-01 14:30:05.5z', NOVEMBER + 14.5 * 3_600_000 + 5_500],
    ['2 hours ago', NOW_MS - 7_200_000],
    ['1 day ago', NOW_MS - 86_400_000],
    ['1.5 weeks ago', NOW_MS - 907_200_000],
    [' 30 seconds ago ', NOW_MS - 30_000],
  ])('%j is read, in whole milliseconds', (text, ms) => {
    expect(read(text)).toBe(ms)
  })

  test.each([
    ['2026-11-01', NOVEMBER],
    ['2026-11-01 14:00', NOVEMBER + 14 * 3_600_000],
    ['2026-11-01T14:00:01', NOVEMBER + 14 * 3_600_000 + 1_000],
    ['2026-11-01T14:00:01Z', NOVEMBER + 14 * 3_600_000 + 1_000],
    ['2 hours ago', NOW_MS - 7_200_000],
  ])('%j with --utc is in UTC', (text, ms) => {
    expect(read(text, true)).toBe(ms)
  })

  test.each(['2026-11-01', '2026-11-01T00:00:00', '2026-11-01 14:00'])('%j has no zone, and that is said', (text) => {
    const says = expect.stringContaining('or give --utc') as string
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'usage', hint: says }))
    expect(() => read(text)).toThrow(`--before has no zone: ${text}`)
  })

  test('a zone and --utc contradict', () => {
    expect(() => read('2026-11-01 +01:00', true)).toThrow('has the zone +01:00, and --utc says another one')
  })

  test.each([
    '',
    'now',
    'yesterday',
    '0',
    '2026',
    '20261101',
    '999999999',
    '1793491200000',
    '-1',
    '1.5',
    '2 fortnights ago',
    'ago',
    '-2 hours ago',
    '2026-02-30Z',
    '2026-11-01T24:00Z',
    '2026-13-01Z',
    '1.11.2026',
    '11/01/2026',
    '2026-11-01T00:00:00+0100',
    '99999999 weeks ago',
    '999999999 days ago',
    '3000 weeks ago',
    '2026-11-01\u0000Z',
  ])('%j is refused with the forms that are read', (text) => {
    const hint = expect.stringContaining('"2 hours ago"') as string
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'usage', hint }))
  })

  test('is never a number that no date has, whatever the text', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9]{1,13}( (second|week)s? ago)?$/),
      fc.date().map(String),
    )
    fc.assert(
      fc.property(texts, fc.boolean(), (text, utc) => {
        try {
          const ms = read(text, utc)
          expect(Number.isSafeInteger(ms) && ms >= 0).toBe(true)
          expect(momentText(ms)).toMatch(/^[+\d]/)
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' })
        }
      }),
    )
  })
})

describe('what was understood', () => {
  test.each([
    ['Europe/Berlin', '2026-11-01T00:00:00Z (local time 2026-11-01 01:00:00 +01:00)'],
    ['America/St_Johns', '2026-11-01T00:00:00Z (local time 2026-10-31 21:30:00 -02:30)'],
    ['UTC', '2026-11-01T00:00:00Z (local time 2026-11-01 00:00:00 +00:00)'],
  ])('is shown in UTC and as a clock in %s shows it', (name, text) => {
    process.env['TZ'] = name
    expect(momentText(NOVEMBER)).toBe(text)
  })

  test('goes to stderr, and not under --json', async () => {
    process.env['TZ'] = 'UTC'
    const [plain, json] = [capture(), capture()]
    readMoment('--before', '2026-11-01', { utc: true }, new Terminal(plain, false))
    readMoment('--before', '2026-11-01', { utc: true }, new Terminal(json, true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(plain.err()).toBe('--before: 2026-11-01T00:00:00Z (local time 2026-11-01 00:00:00 +00:00)\n')
    expect([plain.out(), json.out(), json.err()]).toEqual(['', '', ''])
  })

  test('is printed as an option to repeat by a dry run, if the time was relative', async () => {
    const shown = async (text: string, dryRun: boolean, json = false): Promise<string> => {
      const streams = capture()
      readMoment('--at', text, { utc: true, dryRun }, new Terminal(streams, json))
      await new Promise((resolve) => setImmediate(resolve))
      return streams.err()
    }
    const said = await shown('5 seconds ago', true)
    const again = /: --at (\S+)\n$/.exec(said)?.[1] ?? ''
    expect(said).toContain(`--at: ${momentText(read(again))}\n`)
    expect(Date.now() - read(again)).toBeGreaterThanOrEqual(5_000)
    expect(await shown('5 seconds ago', false)).not.toContain('repeat')
    expect(await shown('2026-11-01', true)).not.toContain('repeat')
    expect(await shown('5 seconds ago', true, true)).toBe('')
  })

  test('is in the refusal of a time in the future', () => {
    const terminal = new Terminal(capture(), true)
    const refused = expect.objectContaining({
      code: 'usage',
      message: expect.stringContaining('in the future: 2100') as string,
    })
    expect(() => readPastMoment('--since', '2100-01-01Z', {}, terminal)).toThrow(refused)
  })
})
