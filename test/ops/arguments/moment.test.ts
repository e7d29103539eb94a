import { expect, test } from 'vitest'
import { parseMoment } from '../../../ops/arguments/moment.ts'

test.each([
  ['2026-11-01T00:00:00Z', Date.UTC(2026, 10, 1)],
  ['2026-11-01T01:00:00.0019+01:00', Date.UTC(2026, 10, 1) + 1],
  ['1793491200', 1_793_491_200_000],
  ['0', 0],
])('%s is a point in time, in whole milliseconds', (text, ms) => {
  expect(parseMoment('--before', text)).toBe(ms)
})

test.each(['', 'now', 'yesterday', '2026-11-01', '2026-11-01T00:00:00', '1793491200000', '-1', '1.5'])(
  '%j is refused: a time without a zone, or milliseconds by mistake, would be misread',
  (text) => {
    expect(() => parseMoment('--before', text)).toThrow(expect.objectContaining({ code: 'usage' }))
  },
)
