/** S3, S13: the time by which a replica deletes revocations, which no clock of its primary moves ahead. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Freshness } from '../../../replica/freshness/freshness.ts'
import { LargestLease } from '../../../replica/freshness/largest-lease.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { silentLog } from '../../../shared/log.ts'
import { CLOCK_JUMP_MS_MAX } from '../../../shared/limits.ts'
import type { FromStream, Granted } from '../../../shared/protocol/revocations.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2030, 0)

interface Machine {
  readonly freshness: Freshness
  /** The wall clock is ahead by this. */
  aheadMs: number
  issueClockMs: number
  /** A ping and the answer of a primary whose clock is ahead by this. */
  readonly heard: (aheadMs: number) => void
  readonly latestMs: () => number | undefined
}

function machine(issueClockMs: number): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-deletion-'))
  const state = { aheadMs: 0, issueClockMs }
  const wallMs = (): number => NOW_MS + state.aheadMs
  const clock = { ...systemClock, wallMs, monotonicMs: () => 1_000, boottimeMs: () => 1_000 }
  const freshness = new Freshness({
    clock,
    entropy: systemEntropy,
    log: silentLog,
    largestLease: new LargestLease(join(folder, 'lease.json')),
    issueClockMs: () => state.issueClockMs,
    acceptClock: false,
    onSigned: () => undefined,
    onRenewed: () => undefined,
  })
  onTestFinished(() => {
    freshness.close()
    rmSync(folder, { recursive: true })
  })
  const boot = '0'.repeat(32)
  const welcome = {
    timeline: 'a'.repeat(32),
    epoch: 1,
    seq: 0,
    boot,
    pingMs: 1e9,
    boundMs: 5_100,
    clockRateError: 0.005,
  }
  let ping: FromStream | undefined
  const heard = (aheadMs: number): void => {
    freshness.connected(welcome, (sent) => (ping = sent))
    const id = ping?.t === 'ping' ? ping.id : 0
    const at = { wallMs: NOW_MS + aheadMs, believedMs: NOW_MS + aheadMs }
    const granted = {
      t: 'granted',
      id,
      epoch: 1,
      timeline: 'a'.repeat(32),
      seq: 0,
      txid: 1,
      leaseMs: 5_000,
      boot,
      ...at,
    }
    freshness.granted({ ...granted, signed: {} } as unknown as Granted, {
      timeline: undefined,
      seq: 0,
      pages: undefined,
    })
    freshness.disconnected()
  }
  const latestMs = (): number | undefined => {
    const time = freshness.time(freshness.now())
    return time.credible ? time.latestMs : undefined
  }
  return Object.assign(state, { freshness, heard, latestMs })
}

test('an issue clock that is years ahead moves the latest believed time, and deletes nothing', () => {
  const node = machine(NOW_MS)
  node.issueClockMs = NOW_MS + 500 * DAY_MS
  node.heard(500 * DAY_MS)
  expect(node.latestMs()).toBeGreaterThan(NOW_MS + 499 * DAY_MS)
  expect(node.freshness.deletionMs()).toBe(NOW_MS)
})

test('pages with such an issue clock at the start delete nothing either', () => {
  const node = machine(NOW_MS + 500 * DAY_MS)
  expect(node.latestMs()).toBeGreaterThan(NOW_MS + 499 * DAY_MS)
  expect(node.freshness.deletionMs()).toBe(NOW_MS)
})

test('the own wall clock deletes nothing in doubt, and little when the primary agrees with it', () => {
  const node = machine(NOW_MS)
  node.aheadMs = 500 * DAY_MS
  expect([node.latestMs(), node.freshness.deletionMs()]).toEqual([undefined, 0])
  node.heard(500 * DAY_MS)
  expect(node.latestMs()).toBeGreaterThan(NOW_MS + 499 * DAY_MS)
  expect(node.freshness.deletionMs()).toBe(NOW_MS + CLOCK_JUMP_MS_MAX)
})
