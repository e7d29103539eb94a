import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ClockReading } from '../../../shared/freshness/clock-reading.ts'
import {
  recordStatedTime,
  raiseToIssueClock,
  judgeTime,
  initialTime,
  type JudgedTime,
  type TimeState,
} from '../../../shared/freshness/credible-time.ts'

const NOON = Date.UTC(2026, 0, 1, 12)
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** So many milliseconds after the start, with a wall clock that was set by so much. */
function at(ms: number, set = 0): ClockReading {
  return { monotonicMs: ms, boottimeMs: ms, wallMs: NOON + ms + set }
}

function start(set = 0, persistedMs?: number, accepted = false): TimeState {
  return initialTime(at(0, set), { persistedMs, accepted })
}

/** A primary that believes its clock, heard over a round trip of 10 ms. */
function primarySays(state: TimeState, ms: number, { set = 0, own = 0, believes = true } = {}): TimeState {
  const wallMs = NOON + ms - 5 + set
  const stated = { wallMs, believedMs: believes ? wallMs : undefined }
  return recordStatedTime(state, 'primary', stated, { sent: at(ms - 10, own), received: at(ms, own) })
}

function bounds(judged: JudgedTime): readonly [number, number] {
  if (!judged.credible) throw new Error(judged.message)
  return [judged.earliestMs - NOON, judged.latestMs - NOON]
}

test('a clock that runs is believed', () => {
  expect(bounds(judgeTime(start(), at(HOUR)))).toEqual([HOUR, HOUR])
})

test('a clock set back is the earliest time it may be, and what would have been is the latest', () => {
  expect(bounds(judgeTime(start(), at(HOUR, -2 * HOUR)))).toEqual([-HOUR, HOUR])
})

test('a clock set ahead is not believed, and is believed again when it comes back', () => {
  const state = start()
  expect(judgeTime(state, at(HOUR, HOUR))).toMatchObject({ credible: false })
  expect(judgeTime(state, at(HOUR, 59_000)).credible).toBe(true)
  expect(bounds(judgeTime(state, at(2 * HOUR)))).toEqual([2 * HOUR, 2 * HOUR])
})

test('a machine that slept has not jumped', () => {
  const slept: ClockReading = { monotonicMs: 10, boottimeMs: DAY + 10, wallMs: NOON + DAY + 10 }
  expect(bounds(judgeTime(start(), slept))).toEqual([DAY + 10, DAY + 10])
})

test('a start long after what is persisted needs a peer that agrees, or the operator', () => {
  expect(judgeTime(start(0, NOON - 6 * DAY), at(0)).credible).toBe(true)
  const stopped = start(0, NOON - 8 * DAY)
  expect(judgeTime(stopped, at(0))).toMatchObject({ credible: false })
  expect(judgeTime(stopped, at(0))).toHaveProperty('message', expect.stringContaining('8 days'))
  expect(judgeTime(primarySays(stopped, 20), at(20)).credible).toBe(true)
  expect(judgeTime(primarySays(stopped, 20, { set: -8 * DAY }), at(20)).credible).toBe(false)
  expect(judgeTime(start(0, NOON - 8 * DAY, true), at(0)).credible).toBe(true)
})

test('a clock an hour ahead at a start is not believed either, if peers can agree', () => {
  const startedAhead = initialTime(at(0, HOUR), { persistedMs: NOON - 1_000, accepted: false, witnessed: true })
  expect(judgeTime(startedAhead, at(10, HOUR))).toHaveProperty('message', expect.stringContaining('3601 s'))
  const replicaSays = (ms: number, own: number): TimeState => {
    const heard = { sent: at(ms, own), received: at(ms, own) }
    return recordStatedTime(startedAhead, 'fra', { wallMs: NOON + ms, believedMs: undefined }, heard)
  }
  expect(judgeTime(replicaSays(20, HOUR), at(20, HOUR)).credible).toBe(false)
  expect(bounds(judgeTime(replicaSays(40, 0), at(50)))).toEqual([50, 50])
})

test('a start before what is persisted takes that for the latest time', () => {
  expect(bounds(judgeTime(start(-30 * DAY, NOON), at(HOUR, -30 * DAY)))).toEqual([HOUR - 30 * DAY, HOUR])
})

test('the primary’s time widens what it may be, and one far from ours leaves this node without', () => {
  expect(bounds(judgeTime(primarySays(start(), 100, { set: 700 }), at(100)))).toEqual([100, 805])
  expect(bounds(judgeTime(primarySays(start(), 100, { set: -700 }), at(100)))).toEqual([-605, 100])
  expect(judgeTime(primarySays(start(), 100, { set: -HOUR }), at(100))).toMatchObject({ credible: false })
  expect(judgeTime(primarySays(start(), 100, { set: HOUR }), at(100))).toMatchObject({ credible: false })
  expect(judgeTime(primarySays(start(), 100, { set: HOUR, believes: false }), at(100)).credible).toBe(true)
})

test('a clock that was corrected agrees with the primary again, from whichever side', () => {
  for (const wrong of [-HOUR, HOUR]) {
    const apart = primarySays(start(wrong), 100, { own: wrong })
    expect(judgeTime(apart, at(100, wrong)).credible).toBe(false)
    expect(judgeTime(primarySays(apart, 200), at(200)).credible).toBe(true)
  }
})

test('a jump that a peer shows too has happened', () => {
  const jumped = primarySays(start(), 100, { set: HOUR, own: HOUR, believes: false })
  expect(bounds(judgeTime(jumped, at(100, HOUR)))).toEqual([HOUR + 100, HOUR + 100])
})

test('at least half of the peers must agree, and peers not heard for long do not count', () => {
  const says = (state: TimeState, who: string, ms: number, set: number): TimeState =>
    recordStatedTime(
      state,
      who,
      { wallMs: NOON + ms + set, believedMs: undefined },
      { sent: at(ms, HOUR), received: at(ms, HOUR) },
    )
  const against = says(says(start(), 'sin', 100, 0), 'iad', 100, 0)
  expect(judgeTime(says(against, 'fra', 110, HOUR), at(110, HOUR)).credible).toBe(false)
  expect(judgeTime(says(says(start(), 'sin', 100, 0), 'fra', 110, HOUR), at(110, HOUR)).credible).toBe(true)
  expect(judgeTime(says(against, 'fra', 11_000, HOUR), at(11_000, HOUR)).credible).toBe(true)
})

test('the latest time never goes back or far ahead, except by a jump that a peer confirmed', () => {
  const look = fc.record({ passed: fc.nat(HOUR), set: fc.integer({ min: -DAY, max: DAY }) })
  fc.assert(
    fc.property(fc.array(look, { maxLength: 30 }), (looks) => {
      const state = start()
      let ms = 0
      let latest = 0
      for (const { passed, set } of looks) {
        ms += passed
        const judged = judgeTime(state, at(ms, set))
        if (!judged.credible) {
          expect(set).toBeGreaterThan(0)
          continue
        }
        const [earliestMs, latestMs] = bounds(judged)
        expect(earliestMs).toBeLessThanOrEqual(latestMs)
        expect(latestMs).toBeGreaterThanOrEqual(ms)
        expect(latestMs - ms).toBeLessThanOrEqual(60_000 + ms * 0.01)
        if (set <= 0) expect(latestMs).toBe(ms)
        latest = Math.max(latest, ms)
        expect(latestMs).toBeGreaterThanOrEqual(latest)
      }
    }),
  )
})

describe('the issue clock of applied pages', () => {
  const primary = { wallMs: NOON, believedMs: NOON + HOUR }
  const hear = (state: TimeState): TimeState =>
    recordStatedTime(state, 'primary', primary, { sent: at(0), received: at(0) })

  test('makes a replica believe a primary that has issued up to there', () => {
    expect(judgeTime(hear(start()), at(0)).credible).toBe(false)
    const judged = judgeTime(hear(raiseToIssueClock(start(), NOON + HOUR, at(0))), at(0))
    expect(bounds(judged)).toEqual([0, HOUR])
  })

  test('never lowers the latest time, and makes no wall clock credible that is ahead of it', () => {
    expect(raiseToIssueClock(start(), NOON - DAY, at(0))).toEqual(start())
    expect(judgeTime(raiseToIssueClock(start(), NOON + HOUR, at(0, DAY)), at(0, DAY)).credible).toBe(false)
  })
})
