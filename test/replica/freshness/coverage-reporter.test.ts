import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { CoverageReporter } from '../../../replica/freshness/coverage-reporter.ts'
import { systemClock } from '../../../shared/clock.ts'
import { GrantBook } from '../../../shared/freshness/grant-book.ts'

const WORKER = { peer: 'worker', boot: '1' }

function reporting() {
  const book = new GrantBook({ clock: systemClock, earlierLeaseMs: 0, clockRateError: 0, hops: 1, holdersMax: 10 })
  const sent: number[] = []
  const over = new AbortController()
  const reporter = new CoverageReporter({ book, send: (seq) => void sent.push(seq), signal: over.signal })
  return { book, sent, over, reporter }
}

test('without workers whatever the replica acknowledges is covered at once', async () => {
  const { reporter, sent } = reporting()
  reporter.acknowledged({ epoch: 1, seq: 4 })
  await delay(0)
  expect(sent).toEqual([4])
})

test('a worker with an earlier lease is waited for, and new revocations are reported once', async () => {
  const { book, reporter, sent } = reporting()
  book.grant(WORKER, { mark: { epoch: 1, seq: 1 }, leaseMs: 10_000 })
  for (const seq of [2, 3, 4]) reporter.acknowledged({ epoch: 1, seq })
  await delay(0)
  expect(sent).toEqual([])
  book.acknowledge(WORKER, { epoch: 1, seq: 4 })
  await delay(0)
  expect(sent).toEqual([2, 4])
  book.close()
})

test('after the end of the connection nothing is reported', async () => {
  const { book, over, reporter, sent } = reporting()
  book.grant(WORKER, { mark: { epoch: 1, seq: 1 }, leaseMs: 50 })
  reporter.acknowledged({ epoch: 1, seq: 2 })
  over.abort()
  await delay(70)
  expect(sent).toEqual([])
  book.close()
})
