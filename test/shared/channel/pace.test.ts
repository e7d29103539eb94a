import fc from 'fast-check'
import { expect, test } from 'vitest'
import { takeTurn, type PaceState } from '../../../shared/channel/pace.ts'

const PACE = { perSecond: 100, atOnce: 5 }

/** When each of those that come at these times gets its turn. */
function turns(arrivals: readonly number[]): readonly number[] {
  let state: PaceState = 0
  return arrivals.map((nowMs) => {
    const turn = takeTurn(state, PACE, nowMs)
    state = turn.state
    return nowMs + turn.waitMs
  })
}

test('a few together do not wait, the next ones follow at the pace', () => {
  expect(turns(Array.from({ length: 8 }, () => 1_000))).toEqual([1000, 1000, 1000, 1000, 1000, 1010, 1020, 1030])
})

test('after a pause a few together do not wait again, and no more than those', () => {
  expect(turns([0, 0, 0, 0, 0, 0, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000]).slice(6)).toEqual([
    5000, 5000, 5000, 5000, 5000, 5010,
  ])
})

test('whatever comes, turns are in order, and no span of time has more than its share', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 100 })
  fc.assert(
    fc.property(gaps, (list) => {
      let nowMs = 0
      const at = turns(list.map((gap) => (nowMs += gap)))
      for (const [index, from] of at.entries()) {
        expect(from).toBeGreaterThanOrEqual(at[index - 1] ?? 0)
        const within = at.filter((other) => other >= from && other < from + 200).length
        expect(within).toBeLessThanOrEqual(20 + PACE.atOnce)
      }
    }),
  )
})
