import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { GrantBook } from '../../../shared/freshness/grant-book.ts'

const NAME = { peer: 'a', boot: '1' }
const OPTIONS = { clock: systemClock, earlierLeaseMs: 0, clockRateError: 0, hops: 1, holdersMax: 10 }

async function settled(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), delay(0).then(() => false)])
}

test('a waiter is woken by the acknowledgement or by the end of the lease, whichever is first', async () => {
  const book = new GrantBook(OPTIONS)
  book.grant(NAME, { mark: { epoch: 1, seq: 1 }, leaseMs: 120 })
  const second = book.covered({ epoch: 1, seq: 2 })
  const third = book.covered({ epoch: 1, seq: 3 })
  expect(await settled(second)).toBe(false)
  book.acknowledge(NAME, { epoch: 1, seq: 2 })
  expect(await settled(second)).toBe(true)
  expect(await settled(third)).toBe(false)
  await third
  expect(book.coverage({ epoch: 1, seq: 3 })).toMatchObject([{ how: 'lease expired' }])
  book.close()
})

test('nothing is covered before the leases of an earlier process are over', async () => {
  const startedMs = systemClock.monotonicMs()
  const book = new GrantBook({ ...OPTIONS, earlierLeaseMs: 60 })
  await book.covered({ epoch: 1, seq: 0 })
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(startedMs + 60)
})

test('a signal ends the waiting', async () => {
  const book = new GrantBook(OPTIONS)
  book.grant(NAME, { mark: { epoch: 1, seq: 1 }, leaseMs: 10_000 })
  const abort = new AbortController()
  const waiting = book.covered({ epoch: 1, seq: 2 }, abort.signal)
  abort.abort()
  book.acknowledge(NAME, { epoch: 1, seq: 2 })
  expect(await settled(waiting)).toBe(false)
  expect(await settled(book.covered({ epoch: 1, seq: 2 }))).toBe(true)
  book.close()
})
