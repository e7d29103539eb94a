import { expect, test } from 'vitest'
import { parseTarget } from '../../../ops/arguments/restore-target.ts'
import { parseMoment } from '../../../ops/arguments/moments.ts'

const NOW_MS = Date.parse('2026-11-25T14:00:00Z')
const read = (text: string): number => parseMoment('--at', text, { nowMs: NOW_MS, utc: false })

test('a moment is a time with its zone, or so long ago', () => {
  expect(parseTarget({ at: '2 hours ago' }, read)).toEqual({ kind: 'time', atMs: NOW_MS - 7_200_000 })
  expect(parseTarget({ at: '2026-11-25 13:00:00+01:00' }, read)).toEqual({ kind: 'time', atMs: NOW_MS - 7_200_000 })
})

test.each([
  '99999999 weeks ago',
  '999999999 days ago',
  '3000 weeks ago',
  '2026-11-25T14:00:00',
  '2026-02-30T00:00:00Z',
])('a text that is no time, or a time before any archive, is refused: %s', (at) => {
  expect(() => parseTarget({ at }, read)).toThrow(expect.objectContaining({ code: 'usage' }))
})
