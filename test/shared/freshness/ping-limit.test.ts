import { expect, test } from 'vitest'
import {
  PINGS_A_SECOND_MAX,
  startAllowance,
  takePing,
  type PingAllowance,
} from '../../../shared/freshness/ping-limit.ts'

function answered(pings: readonly number[]): number {
  let allowance: PingAllowance = startAllowance(0)
  let count = 0
  for (const atMs of pings) {
    const taken = takePing(allowance, atMs)
    if (taken === undefined) continue
    allowance = taken
    count += 1
  }
  return count
}

test('an honest replica has every ping answered', () => {
  const pings = Array.from({ length: 1_000 }, (_, index) => index * 20)
  expect(answered(pings)).toBe(pings.length)
})

test('a flood gets no more than its share, and what it did not use is not saved up', () => {
  const flood = (fromMs: number): readonly number[] => Array.from({ length: 5_000 }, () => fromMs)
  expect(answered(flood(0))).toBe(PINGS_A_SECOND_MAX)
  expect(answered(flood(3_600_000))).toBe(PINGS_A_SECOND_MAX)
  expect(answered([...flood(0), ...flood(500)])).toBe(PINGS_A_SECOND_MAX * 1.5)
})
