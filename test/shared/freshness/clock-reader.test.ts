import { expect, test } from 'vitest'
import { systemClock, type NodeClock } from '../../../shared/clock.ts'
import { ClockReader } from '../../../shared/freshness/clock-reader.ts'
import { elapsedMs } from '../../../shared/freshness/clock-reading.ts'

function settable(): { clock: NodeClock; now: { monotonic: number; slept: number; set: number; asked: number } } {
  const now = { monotonic: 1_000, slept: 0, set: 0, asked: 0 }
  const clock = {
    ...systemClock,
    monotonicMs: () => now.monotonic,
    wallMs: () => 1e12 + now.monotonic + now.slept + now.set,
    boottimeMs: () => {
      now.asked += 1
      return Math.floor((now.monotonic + now.slept) / 10) * 10
    },
  }
  return { clock, now }
}

test('sleep of the machine shows at the first look after it, without a timer', () => {
  const { clock, now } = settable()
  const reader = new ClockReader(clock)
  const before = reader.read()
  now.slept = 7_000
  // The wall clock is put back, as a time server may do: the boottime alone tells of the sleep.
  expect(elapsedMs(before, reader.read())).toBe(7_000)
  now.set = -60_000
  const after = reader.read()
  expect(after.boottimeMs - before.boottimeMs).toBeCloseTo(7_000, -2)
  expect(elapsedMs(before, after)).toBeGreaterThanOrEqual(6_990)
  reader.close()
})

test('a look costs no system call while clocks agree, and the steps of boottime are no sleep', () => {
  const { clock, now } = settable()
  const reader = new ClockReader(clock)
  const before = reader.read()
  const asked = now.asked
  for (let look = 0; look < 1_000; look += 1) {
    now.monotonic += 3.7
    expect(elapsedMs(before, reader.read())).toBeCloseTo((look + 1) * 3.7, 2)
  }
  expect(now.asked).toBe(asked)
  reader.close()
})
