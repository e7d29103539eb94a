import { expect, test } from 'vitest'
import {
  type AuthorityTime,
  momentOf,
  startAuthorityTime,
  stepAuthorityTime,
} from '../../../primary/freshness/authority-time.ts'
import type { ClockReading } from '../../../shared/freshness/clock-reading.ts'
import type { JudgedTime } from '../../../shared/freshness/credible-time.ts'

const ISSUED_MS = 1_750_000_000_000
const HOUR_MS = 3_600_000
const IN_DOUBT: JudgedTime = { credible: false, message: 'the clock jumped' }

const at = (monotonicMs: number, wallMs: number, boottimeMs: number = monotonicMs): ClockReading => ({
  monotonicMs,
  boottimeMs,
  wallMs,
})
const believed = (ms: number): JudgedTime => ({ credible: true, earliestMs: ms, latestMs: ms })
const nowOf = (state: AuthorityTime, time: JudgedTime, now: ClockReading): number =>
  momentOf(stepAuthorityTime(state, time, now), time, now).nowMs

test('the authority’s time in doubt is the issue clock plus elapsed time, despite the wall clock', () => {
  const started = startAuthorityTime(at(1_000, ISSUED_MS + HOUR_MS), ISSUED_MS)
  for (const wallMs of [0, ISSUED_MS + HOUR_MS, 9e15])
    expect(nowOf(started, IN_DOUBT, at(4_000, wallMs))).toBe(ISSUED_MS + 3_000)
  expect(nowOf(started, IN_DOUBT, at(4_000, 0, 9_000))).toBe(ISSUED_MS + 8_000)
})

test('once time is believed it catches up, and a later doubt takes nothing back', () => {
  let state = startAuthorityTime(at(0, ISSUED_MS), ISSUED_MS)
  state = stepAuthorityTime(state, believed(ISSUED_MS + HOUR_MS), at(1_000, ISSUED_MS + HOUR_MS))
  expect(nowOf(state, IN_DOUBT, at(6_000, 0))).toBe(ISSUED_MS + HOUR_MS + 5_000)
  expect(nowOf(state, believed(ISSUED_MS), at(6_000, ISSUED_MS))).toBe(ISSUED_MS + HOUR_MS + 5_000)
})

test('a span is measured on a steady clock, so a change of the believed time does not count', () => {
  let state = startAuthorityTime(at(0, ISSUED_MS), ISSUED_MS)
  const asked = momentOf(state, IN_DOUBT, at(1_000, 0))
  state = stepAuthorityTime(state, believed(ISSUED_MS + HOUR_MS), at(5_000, ISSUED_MS + HOUR_MS))
  const later = momentOf(state, believed(ISSUED_MS + HOUR_MS), at(5_000, ISSUED_MS + HOUR_MS))
  expect([later.steadyMs - asked.steadyMs, later.nowMs - asked.nowMs]).toEqual([4_000, HOUR_MS - 1_000])
})
