import { expect, test } from 'vitest'
import type { FaultEvent, HistoryEvent, MintEvent, VerifyEvent } from './event.ts'
import { CLASSES_MS, EMPTY, histogramOf, quantileMs, sumOf, totalOf } from './histogram.ts'
import { joinedTimes, NO_TIMES, timesOf } from './times.ts'

const verified = (inv: number, changes: Partial<VerifyEvent> = {}): VerifyEvent => {
  const where = { proc: 'fra-worker', region: 'fra', host: 'fraw', node: 'fra-worker', boot: 'b1' }
  return { t: 'verify', inv, ret: inv + 1, ...where, id: 'a', result: 'allow', ...changes }
}
const mintedAt = (inv: number): MintEvent => {
  const identity = { id: 'a', ancestors: [], org: 'acme', subject: 'alice', kid: 'k1', issuedMs: 0 }
  return { t: 'mint', inv, ret: inv + 5, ...identity }
}
const fault = (target: string, from: number, until: number): FaultEvent => {
  return { t: 'fault', kind: 'killed', target, from, until, effect: 1 }
}
const medianMs = (events: readonly HistoryEvent[], of: 'catchUp' | 'writesBack'): number =>
  quantileMs(timesOf(events)[of], 0.5)

test('a service has caught up with the first token that it accepts after the end of its fault', () => {
  const unknown = verified(5_100, { result: 'unavailable' })
  const events = [fault('fra', 1_000, 5_000), verified(4_000), unknown, verified(5_150), verified(9_000)]
  expect(totalOf(timesOf(events).catchUp)).toBe(1)
  expect(medianMs(events, 'catchUp')).toBe(200)
})

test('a service waits for the end of the last fault that touches it, and for none that does not', () => {
  const two = [fault('fra', 1_000, 5_000), fault('fraw', 4_000, 8_000), fault('sin', 1_000, 9_000)]
  const events = [...two, verified(8_900), verified(9_500)]
  expect(totalOf(timesOf(events).catchUp)).toBe(1)
  expect(medianMs(events, 'catchUp')).toBe(1_000)
})

test('writes are back with the first one requested after a fault of the primary began', () => {
  const events = [fault('primary', 1_000, 1_700), mintedAt(1_650), mintedAt(1_800)]
  expect(totalOf(timesOf(events).writesBack)).toBe(1)
  expect(medianMs(events, 'writesBack')).toBe(1_000)
  expect(totalOf(timesOf([fault('sin', 1_000, 1_700), mintedAt(1_800)]).writesBack)).toBe(0)
})

test('every verification counts after a fault elsewhere, none after a fault of region or primary', () => {
  const asked = [verified(1_500), verified(1_600, { result: 'unavailable' }), verified(9_000)]
  expect(timesOf([fault('sin', 1_000, 2_000), ...asked]).elsewhere).toEqual({ asked: 2, answered: 1 })
  for (const near of ['fra', 'fraw', 'fra-worker', 'primary']) {
    expect(timesOf([fault(near, 1_000, 2_000), ...asked]).elsewhere, near).toEqual({ asked: 0, answered: 0 })
  }
})

test('times of several runs add up', () => {
  const one = timesOf([fault('fra', 1_000, 5_000), verified(5_150)])
  const both = joinedTimes(joinedTimes(NO_TIMES, one), one)
  expect(both.catchUp).toEqual(sumOf(one.catchUp, one.catchUp))
  expect(joinedTimes(NO_TIMES, NO_TIMES)).toEqual(NO_TIMES)
})

test('a histogram has the count, and the upper bound of the class that contains a quantile', () => {
  expect([totalOf(EMPTY), quantileMs(EMPTY, 0.99)]).toEqual([0, 0])
  const histogram = histogramOf([1, 20, 21, 60_000])
  expect(totalOf(histogram)).toBe(4)
  expect([0.5, 0.75, 1].map((share) => quantileMs(histogram, share))).toEqual([20, 50, Infinity])
  expect(histogram).toHaveLength(CLASSES_MS.length)
})
