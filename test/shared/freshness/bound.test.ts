import { expect, test } from 'vitest'
import { FRESHNESS_DEFAULTS, freshnessFault, grantedMs, revocationBoundMs } from '../../../shared/freshness/bound.ts'

test('with the defaults a revocation binds everywhere within 5.1 seconds', () => {
  expect(FRESHNESS_DEFAULTS).toEqual({ lease_ms: 5_000, ping_ms: 250, clock_rate_error: 0.005, decision_ms: 50 })
  expect(revocationBoundMs(FRESHNESS_DEFAULTS)).toBe(5_101)
})

test('the bound grows with each of its parts', () => {
  const bound = revocationBoundMs(FRESHNESS_DEFAULTS)
  for (const more of [{ lease_ms: 6_000 }, { clock_rate_error: 0.01 }, { decision_ms: 60 }]) {
    expect(revocationBoundMs({ ...FRESHNESS_DEFAULTS, ...more })).toBeGreaterThan(bound)
  }
})

test('a grantor with the fastest allowed clock waits as long as the slowest holder needs', () => {
  for (const rate of [0, 0.005, 0.05]) {
    for (const hops of [1, 2]) {
      // In real time: the grantor's clock runs (1 + rate) times as fast.
      const countedMs = grantedMs(5_000, rate, hops) / (1 + rate)
      expect(countedMs).toBeGreaterThanOrEqual(5_000 / (1 - rate) ** hops - 1e-9)
    }
  }
})

test('settings that make no sense together are named', () => {
  expect(freshnessFault(FRESHNESS_DEFAULTS)).toBeUndefined()
  expect(freshnessFault({ ...FRESHNESS_DEFAULTS, lease_ms: 499 })).toContain('twice ping_ms')
  expect(freshnessFault({ ...FRESHNESS_DEFAULTS, lease_ms: 500 })).toBeUndefined()
  expect(freshnessFault({ ...FRESHNESS_DEFAULTS, ping_ms: 5 })).toContain('ping_ms')
  expect(freshnessFault({ ...FRESHNESS_DEFAULTS, decision_ms: 5_001 })).toContain('decision_ms')
})
