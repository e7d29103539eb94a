/** A number that only rises, from a replica that proves nothing: it is taken back once a lease shows that it was never there. */
import { expect, test } from 'vitest'
import { MARK_NONE } from '../../../shared/freshness/mark.ts'
import { bootOf, FedWorker, TIMELINE } from './fed-worker.ts'
import { encodeTokenText as text } from '../../../shared/macaroon/text.ts'
import { mint } from '../../shared/verifier/fixture.ts'

const FAKE = 'f'.repeat(32)
const LIAR = { peer: 'liar', boot: bootOf('7') }
const HONEST = { peer: 'fra-2', boot: bootOf('2') }

/** A worker that holds a lease at revocation 5 of epoch 1, with one token in its cache. */
function settled(): { worker: FedWorker; token: string } {
  const worker = new FedWorker()
  worker.connect()
  worker.begin(5)
  worker.lease()
  const token = text(mint([]))
  worker.verify(token)
  return { worker, token }
}

/** The liar has said it, and is gone; the honest replica is met. */
function lied(worker: FedWorker, epoch: number, timeline = FAKE, seq = 0): void {
  worker.connect(LIAR)
  worker.hear({ t: 'begin', epoch, timeline, seq })
  worker.step({ kind: 'disconnected' })
  worker.connect(HONEST)
  worker.hear({ t: 'begin', epoch: 1, timeline: TIMELINE, seq: 5 })
}

const drops = (worker: FedWorker): number => worker.cache.statistics().drops['minimum taken back']

test.each([
  ['a later epoch', 2 ** 31, FAKE, 0],
  ['a later revocation of the same history', 1, TIMELINE, 1e15],
] as const)(
  'a replica that lied of %s once is believed until a lease that began later shows otherwise',
  async (_, epoch, timeline, seq) => {
    const { worker } = settled()
    worker.seq = 5
    lied(worker, epoch, timeline, seq)
    worker.ms += 100
    // Asked 100 ms after the lie, for a state of 200 ms before: the replica may not have had it yet.
    worker.lease({ ageMs: 300 })
    expect([worker.left().length, drops(worker)]).toEqual([1, 0])
    worker.connect(HONEST)
    worker.hear({ t: 'begin', epoch: 1, timeline: TIMELINE, seq: 5 })
    worker.ms += 300
    worker.lease({ ageMs: 100 })
    expect([worker.left().length, drops(worker)]).toEqual([1, 1])
    expect(worker.cache.minimum).toEqual({ epoch: 1, seq: 5 })
    expect(worker.cache.statistics()).toMatchObject({ applied: { epoch: 1, seq: 5 }, leaseRemainingMs: 5_000 })
    const fresh = text(mint([]))
    expect(worker.verify(fresh)).toBe(true)
    expect(worker.hit(fresh)).toMatchObject({ ok: true })
    await Promise.resolve()
    expect(worker.alarms).toMatchObject([{ code: 'minimum_unreached', message: expect.stringContaining('liar') }])
  },
)

test.each([
  ['of a number that was never reached is taken back with it', 6, true],
  ['of a number that was reached is real, and stays', 5, false],
])('a revocation of an unknown kind %s', (_, seq, isTakenBack) => {
  const { worker } = settled()
  worker.seq = 5
  worker.connect(LIAR)
  worker.hear({ t: 'begin', epoch: 1, timeline: TIMELINE, seq: 5 })
  worker.rows({ kind: 'unknown', seq: 6, record: { seq: 6, kind: 'something newer' } })
  worker.step({ kind: 'not understood', message: 'of this number', seq })
  worker.step({ kind: 'disconnected' })
  worker.connect(HONEST)
  worker.ms += 400
  worker.hear({ t: 'begin', epoch: 1, timeline: TIMELINE, seq: 5 })
  worker.seq = 5
  worker.lease({ ageMs: 100 })
  expect(drops(worker)).toBe(1)
  const fresh = text(mint([]))
  expect(worker.verify(fresh)).toBe(true)
  expect(worker.hit(fresh) !== undefined).toBe(isTakenBack)
})

test('a replica that begins with another history of its epoch is forgotten the same way', () => {
  const worker = new FedWorker()
  worker.connect(LIAR)
  worker.hear({ t: 'begin', epoch: 1, timeline: FAKE, seq: 6 })
  worker.lease({ epoch: 1, timeline: FAKE, seq: 6 })
  worker.step({ kind: 'disconnected' })
  worker.ms += 400
  worker.connect(HONEST)
  worker.begin(5)
  worker.lease({ ageMs: 100 })
  expect([worker.left().length, drops(worker)]).toEqual([0, 1])
  expect(worker.cache.statistics()).toMatchObject({ applied: { epoch: 1, seq: 5 }, leaseRemainingMs: 5_000 })
})

test('one answer’s lie is taken back, and the cache with it, while the feed goes on', () => {
  const { worker, token } = settled()
  worker.step({ kind: 'answered', mark: { epoch: 9, seq: 1 }, peer: 'liar' })
  expect(worker.hit(token)).toBeUndefined()
  expect(worker.verify(token)).toBe(false)
  worker.ms += 400
  worker.lease({ ageMs: 100 })
  expect([worker.cache.minimum, drops(worker)]).toEqual([{ epoch: 1, seq: 5 }, 1])
  expect(worker.verify(token)).toBe(true)
  expect(worker.hit(token)).toMatchObject({ ok: true })
})

test('a true minimum is not taken back: a caller that reaches it keeps it, and so does a lease', () => {
  const { worker } = settled()
  worker.step({ kind: 'answered', mark: { epoch: 2, seq: 1 }, peer: 'sin-1' })
  worker.ms += 1_000
  worker.lease({ ageMs: 1_000 })
  worker.step({ kind: 'answered', mark: { epoch: 2, seq: 1 }, peer: 'sin-1' })
  worker.ms += 50
  worker.lease({ ageMs: 100 })
  expect([worker.cache.minimum, drops(worker)]).toEqual([{ epoch: 2, seq: 1 }, 0])
})

test('without a lease nothing is taken back, however long the replica is cut off', () => {
  const { worker } = settled()
  lied(worker, 3)
  worker.ms += 60_000
  worker.lease({ leaseMs: 0 })
  expect([worker.left().length, drops(worker), worker.cache.minimum]).toEqual([1, 0, { epoch: 3, seq: 0 }])
})

test('a worker that stood still counts no time in which it might have slept', () => {
  const { worker } = settled()
  lied(worker, 3)
  const id = worker.ping()
  worker.ms += 10_000
  // Answered late, but asked at once: the lease may have begun before the lie.
  worker.grant(id, { ageMs: 10 })
  expect([worker.left().length, drops(worker)]).toEqual([1, 0])
})

test('a doubted replica’s revocations are not the cache’s, and are known once it is believed', () => {
  const { worker } = settled()
  lied(worker, 3)
  const row = { seq: 6, kind: 'token', kid: '1'.repeat(16), nonce: '2'.repeat(32), expiresAt: 0 } as const
  worker.hear({ t: 'revoked', after: 5, rows: [row], through: 6 })
  expect(worker.cache.statistics().applied).toEqual({ epoch: 3, seq: 0 })
  worker.ms += 300
  worker.lease({ seq: 6, ageMs: 10 })
  expect(worker.cache.statistics().applied).toEqual({ epoch: 1, seq: 6 })
  expect(worker.acknowledged().at(-1)).toBe(6)
})

test('a lease of another history than the replica began with does not count', () => {
  const { worker } = settled()
  worker.lease({ epoch: 7, timeline: FAKE })
  expect(worker.left()).toHaveLength(1)
  worker.connect(HONEST)
  worker.begin(5)
  worker.lease()
  expect(worker.cache.statistics().leaseRemainingMs).toBe(5_000)
})

test('without a feed an answer that says how old its state was takes a minimum back', () => {
  const worker = new FedWorker()
  const token = text(mint([]))
  worker.seq = 4
  expect(worker.verify(token)).toBe(true)
  worker.step({ kind: 'answered', mark: { epoch: 8, seq: 0 }, peer: 'liar' })
  const stated = (ageMs?: number): void => {
    const answer = { ...worker.answer(token), ...(ageMs === undefined ? {} : { ageMs }) }
    worker.cache.heard(answer, worker.asked().at)
  }
  worker.ms += 300
  stated()
  stated(400)
  expect(worker.cache.minimum).toEqual({ epoch: 8, seq: 0 })
  stated(100)
  expect(worker.cache.minimum).toEqual({ epoch: 1, seq: 4 })
  expect(worker.verify(token)).toBe(true)
})

test('a worker that never heard of anything takes nothing back', () => {
  const worker = new FedWorker()
  worker.connect()
  worker.begin(0)
  worker.lease()
  expect([drops(worker), worker.cache.minimum]).toEqual([0, { epoch: 1, seq: 0 }])
  expect(new FedWorker().cache.minimum).toEqual(MARK_NONE)
})
