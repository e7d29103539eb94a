import { expect, onTestFinished, test } from 'vitest'
import { AuthorityClock } from '../../../primary/freshness/authority-clock.ts'
import { Granting, type GrantingOptions } from '../../../primary/freshness/granting.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { FRESHNESS_DEFAULTS } from '../../../shared/freshness/bound.ts'
import { checksum, epoch, timeline, txid } from '../../../shared/ids.ts'
import type { SignedPosition } from '../../../shared/protocol/signed-position.ts'

const HOLDER = { peer: 'fra', boot: '1' }
const NOW_MS = 1_750_000_000_000
const TIMELINE = timeline('0'.repeat(32))
const STATE = {
  head: { epoch: epoch(1), txid: txid(7), checksum: checksum(1n << 63n) },
  timeline: TIMELINE,
  seq: 3,
  signed: {} as SignedPosition,
}

function granting(changes: Partial<GrantingOptions> = {}): {
  readonly made: Granting
  readonly authorityClock: AuthorityClock
  readonly time: { monotonicMs: number; wallMs: number }
} {
  const time = { monotonicMs: 1_000, wallMs: NOW_MS }
  const clock = {
    ...systemClock,
    monotonicMs: () => time.monotonicMs,
    wallMs: () => time.wallMs,
    boottimeMs: () => time.monotonicMs,
  }
  const own = { issueClockMs: NOW_MS - 1_000, acceptClock: false, hasReplicas: false }
  const authorityClock = new AuthorityClock({ clock, ...own })
  const made = new Granting({
    settings: FRESHNESS_DEFAULTS,
    clock,
    authorityClock,
    entropy: systemEntropy,
    leaseMsMax: () => FRESHNESS_DEFAULTS.lease_ms,
    mayGrant: () => true,
    ...changes,
  })
  onTestFinished(() => {
    made.close()
    authorityClock.close()
  })
  return { made, authorityClock, time }
}

const ping = { t: 'ping', id: 9, wallMs: NOW_MS } as const

test('a grant is in the book before its answer can be sent', () => {
  const { made } = granting({ leaseMsMax: () => 2_000 })
  const coveredBefore = made.book.coverage({ epoch: 1, seq: 4 })
  const answer = made.answer(HOLDER, ping, STATE)
  expect(coveredBefore).toEqual([])
  expect(answer).toMatchObject({ id: 9, epoch: 1, seq: 3, txid: 7, leaseMs: 2_000, boot: made.boot })
  expect(made.book.coverage({ epoch: 1, seq: 4 })).toMatchObject([{ ...HOLDER, how: 'pending' }])
})

test.each<[string, Partial<GrantingOptions>]>([
  ['while its own position is not confirmed', { mayGrant: () => false }],
  ['before the length of it is written down', { leaseMsMax: () => 0 }],
])('no lease is given %s, and none is in the book', (_, changes) => {
  const { made } = granting(changes)
  expect(made.answer(HOLDER, ping, STATE).leaseMs).toBe(0)
  expect(made.book.coverage({ epoch: 1, seq: 4 })).toEqual([])
})

test('no lease is longer than the longest that was written down', () => {
  const { made } = granting({ leaseMsMax: () => 700 })
  expect(made.answer(HOLDER, ping, STATE).leaseMs).toBe(700)
})

test('after a start every holder counts as holding the longest lease ever granted, and longer', () => {
  const { made, time } = granting()
  expect(made.book.startUntilMs - time.monotonicMs).toBeGreaterThan(FRESHNESS_DEFAULTS.lease_ms)
})

test('a primary whose clock jumped ahead states no time until the clock is back', () => {
  const { made, authorityClock, time } = granting()
  time.wallMs += 3_600_000
  expect(authorityClock.time).toMatchObject({ credible: false })
  expect(made.answer(HOLDER, ping, STATE).believedMs).toBe(0)
  time.wallMs -= 3_600_000
  expect(made.answer(HOLDER, ping, STATE).believedMs).toBeGreaterThanOrEqual(NOW_MS)
})
