import { describe, expect, test } from 'vitest'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { ACME, freshNonce, mint, NOW_MS, OTHER } from '../../shared/verifier/fixture.ts'
import { at, bootOf, FedWorker, LEASE_MS, TIMELINE } from './fed-worker.ts'

const text = encodeTokenText

function nameOf(macaroon: Macaroon) {
  return decodeIdentifier(macaroon.identifier)
}

/** A worker that has a token in its cache. */
function withToken(caveats: readonly string[] = []): { worker: FedWorker; macaroon: Macaroon; token: string } {
  const worker = FedWorker.leased()
  const macaroon = mint(caveats)
  const token = text(macaroon)
  expect(worker.verify(token)).toBe(true)
  return { worker, macaroon, token }
}

describe('the lease', () => {
  test('lets the cache answer: with it answers are kept and say their state, without it none are', () => {
    const worker = new FedWorker()
    const token = text(mint([]))
    worker.connect()
    worker.begin()
    expect(worker.verify(token)).toBe(true)
    expect(worker.hit(token)).toBeUndefined()
    worker.lease()
    expect(worker.hit(token)).toBeUndefined()
    worker.verify(token)
    const state = { node: 'fra-1', region: 'fra', epoch: 1, revocationSeq: 0, txid: 70 }
    expect(worker.hit(token)).toMatchObject({ ok: true, cached: 'exact', ...state })
  })

  test('runs from the moment its ping was sent, and is as long as what was left of the replica’s', () => {
    const worker = new FedWorker()
    worker.connect()
    worker.begin()
    const id = worker.ping()
    worker.ms = 1_000
    worker.grant(id, { leaseMs: 3_000 })
    const token = text(mint([]))
    worker.verify(token)
    worker.ms = 2_990
    expect(worker.hit(token)).toMatchObject({ ok: true })
    expect(worker.cache.statistics().leaseRemainingMs).toBe(10)
    worker.ms = 3_000
    expect(worker.hit(token)).toBeUndefined()
  })

  test('takes the whole cache with it when it ends, also when nobody asked meanwhile', () => {
    for (const asks of [true, false]) {
      const { worker, token } = withToken()
      worker.ms = LEASE_MS
      if (asks) expect(worker.hit(token)).toBeUndefined()
      worker.lease()
      expect(worker.hit(token)).toBeUndefined()
      expect(worker.cache.statistics()).toMatchObject({ entries: 0, drops: { 'lease ended': 1 } })
    }
  })

  test('is looked at again after computing: a process that was stopped meanwhile answers nothing', () => {
    const { worker, token } = withToken()
    worker.readings.push(at(4_990), at(4_990 + LEASE_MS))
    worker.ms = 4_990 + LEASE_MS
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.cache.statistics()).toMatchObject({ hits: 0, entries: 0 })
  })

  test('ends by whichever clock says so: the machine slept, or its wall clock was set ahead', () => {
    for (const jump of [{ boottimeMs: LEASE_MS + 200 }, { wallMs: NOW_MS + 3_600_000 }]) {
      const { worker, token } = withToken()
      const later = { ...at(2), ...jump }
      worker.readings.push(later, later, later)
      expect(worker.hit(token)).toBeUndefined()
    }
  })

  test('counts only once everything up to it is applied here', () => {
    const worker = FedWorker.leased()
    const [old, fresh] = [mint([]), text(mint([]))]
    worker.ms = 4_000
    const row = worker.revoke(nameOf(old))
    worker.grant(worker.ping())
    worker.ms = LEASE_MS
    expect(worker.cache.statistics().leaseRemainingMs).toBe(0)
    worker.rows(row)
    expect(worker.cache.statistics().leaseRemainingMs).toBe(4_000)
    worker.verify(fresh)
    expect(worker.hit(fresh)).toMatchObject({ ok: true, revocationSeq: 1 })
  })

  test('is not given where the replica gives none, and a cache without one asks the replica', () => {
    const worker = FedWorker.leased({ leaseMs: 0 })
    const token = text(mint([]))
    expect(worker.verify(token)).toBe(true)
    expect(worker.hit(token)).toBeUndefined()
  })

  test('of the replica before goes on while the next one is connected to', () => {
    const { worker, token } = withToken()
    worker.step({ kind: 'disconnected' })
    worker.connect({ peer: 'fra-2', boot: bootOf('2') })
    worker.begin()
    expect(worker.hit(token)).toMatchObject({ ok: true, node: 'fra-1' })
    worker.ms = 1_000
    worker.lease()
    expect(worker.hit(token)).toMatchObject({ ok: true, node: 'fra-2' })
  })
})

describe('a revocation', () => {
  test('takes the token and its descendants away, and is acknowledged then', () => {
    const { worker, macaroon, token } = withToken()
    const child = text(attenuate(macaroon, ['op = read']))
    const other = text(mint([]))
    worker.verify(other)
    expect(worker.hit(child, { op: 'read' })).toMatchObject({ ok: true, cached: 'prefix' })
    worker.rows(worker.revoke(nameOf(macaroon)))
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.hit(child, { op: 'read' })).toBeUndefined()
    expect(worker.hit(other)).toMatchObject({ ok: true, revocationSeq: 1 })
    expect(worker.acknowledged()).toEqual([0, 1])
  })

  test('that overtook an answer makes it worth nothing: it is neither used nor kept', () => {
    const worker = FedWorker.leased()
    const macaroon = mint([])
    const token = text(macaroon)
    const asked = worker.asked()
    const answer = worker.answer(token)
    expect(answer.ok).toBe(true)
    worker.rows(worker.revoke(nameOf(macaroon)))
    expect(worker.cache.use(token, answer, asked)).toBe(false)
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.cache.statistics()).toMatchObject({ overtaken: 1, entries: 0 })
    expect(worker.cache.minimum).toEqual({ epoch: 1, seq: 1 })
  })

  test('that a replica already knows stands before the feed has it: no older state is used after', () => {
    const { worker, macaroon, token } = withToken()
    const stale = { asked: worker.asked(), answer: worker.answer(token) }
    worker.revoke(nameOf(macaroon))
    expect(worker.verify(token)).toBe(true)
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.cache.use(token, stale.answer, stale.asked)).toBe(false)
  })

  test('that leaves a gap after the last one drops everything, and the worker leaves the replica', () => {
    const { worker, token } = withToken()
    worker.revoke(nameOf(mint([])))
    worker.rows(worker.revoke(nameOf(mint([]))))
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.left()).toEqual(['a revocation is missing'])
    expect(worker.acknowledged()).toEqual([0])
    expect(worker.cache.statistics()).toMatchObject({ entries: 0, drops: { gap: 1 } })
  })

  test('of a subject, an org or a key removes exactly the tokens that a replica would refuse', () => {
    const untilMs = NOW_MS
    const bounded = { expiresAt: 0, org: 'acme' }
    for (const [row, gone] of [
      [{ kind: 'subject', ...bounded, subject: 'alice', untilMs }, [true, false, true, false]],
      [{ kind: 'org', ...bounded, untilMs }, [true, true, true, false]],
      [{ kind: 'key', ...bounded, kid: ACME }, [true, true, true, false]],
      [{ kind: 'org_disabled', ...bounded }, [true, true, true, false]],
      [{ kind: 'org', ...bounded, untilMs: untilMs - 60_000 }, [false, false, false, false]],
    ] as const) {
      const worker = FedWorker.leased()
      const made = text(mint([], { ancestors: [{ kid: ACME, nonce: freshNonce() }] }))
      const held = [text(mint([])), text(mint([], { subject: 'bob' })), made, text(mint([], { kid: OTHER }))]
      for (const [index, token] of held.entries()) {
        const access = { org: index === 3 ? 'other' : 'acme' }
        worker.cache.use(token, worker.answer(token, access), worker.asked())
        expect(worker.hit(token, access)).toMatchObject({ ok: true })
      }
      worker.rows({ ...row, seq: 1 })
      const after = held.map((token, index) => worker.hit(token, { org: index === 3 ? 'other' : 'acme' }) === undefined)
      expect([row.kind, after]).toEqual([row.kind, gone])
    }
  })

  test('of a kind that is not understood ends the cache: from then on a replica is asked', () => {
    const { worker, token } = withToken()
    const { seq } = worker.revoke(nameOf(mint([])))
    worker.rows({ kind: 'unknown', seq, record: { seq, kind: 'something newer' } })
    worker.lease()
    expect(worker.verify(token)).toBe(true)
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.cache.statistics()).toMatchObject({ entries: 0, drops: { 'revocation not understood': 1 } })
    // The same history still has that row, whoever feeds the cache.
    worker.connect({ peer: 'fra-2', boot: bootOf('2') })
    worker.begin(9)
    worker.lease()
    expect([worker.verify(token), worker.hit(token)]).toEqual([true, undefined])
  })

  test('of a kind that is not understood does not count in another history', () => {
    const { worker, token } = withToken()
    worker.rows({ kind: 'unknown', seq: 1, record: { seq: 1, kind: 'something newer' } })
    const next = { epoch: 2, timeline: 'b'.repeat(32) }
    worker.begin(1, next.epoch, next.timeline)
    worker.lease(next)
    expect(worker.cache.use(token, { ...worker.answer(token), epoch: 2 }, worker.asked())).toBe(true)
    expect(worker.hit(token)).toMatchObject({ ok: true })
  })
})

describe('an answer', () => {
  test('that took longer than its lease is not used: waiters for that lease have stopped waiting', () => {
    const worker = FedWorker.leased()
    const token = text(mint([]))
    const asked = worker.asked()
    const answer = worker.answer(token)
    worker.ms = LEASE_MS
    expect(worker.cache.use(token, answer, asked)).toBe(false)
    expect(worker.cache.use(token, worker.answer(token), worker.asked())).toBe(true)
  })

  test('of another epoch than the feed’s is used and not kept, and drops what is of the one before', () => {
    const { worker, token } = withToken()
    expect(worker.cache.use(token, { ...worker.answer(token), epoch: 2 }, worker.asked())).toBe(true)
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.verify(token)).toBe(false)
    expect(worker.cache.statistics().drops['new epoch']).toBe(1)
  })
})

describe('a replica', () => {
  test('that goes on where the cache is keeps it; one that cannot makes it start anew', () => {
    const { worker, token } = withToken()
    worker.begin(0)
    expect(worker.hit(token)).toMatchObject({ ok: true })
    worker.begin(9)
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.cache.statistics().drops.gap).toBe(1)
    expect(worker.acknowledged().at(-1)).toBe(9)
  })

  test('of a later epoch makes it start anew, with its own numbers', () => {
    const { worker, token } = withToken()
    worker.begin(0, 2, 'b'.repeat(32))
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.cache.statistics()).toMatchObject({ drops: { 'new epoch': 1 }, applied: { epoch: 2, seq: 0 } })
  })

  test.each([
    ['that is behind what was applied here', [0, 1, TIMELINE]],
    ['of another history of the same epoch', [5, 1, 'b'.repeat(32)]],
    ['of an epoch that was left behind', [9, 0, 'c'.repeat(32)]],
  ] as const)('%s is left, and takes nothing back in time', (_, [seq, epoch, timeline]) => {
    const worker = FedWorker.leased()
    worker.begin(5)
    worker.connect({ peer: 'fra-2', boot: bootOf('2') })
    worker.hear({ t: 'begin', epoch, timeline, seq })
    // Its lease began before this worker got where it is.
    worker.ms += 50
    worker.lease({ epoch, timeline, seq, ageMs: 200 })
    expect(worker.left()).toHaveLength(1)
    expect(worker.cache.statistics().applied).toEqual({ epoch: 1, seq: 5 })
  })

  test('that was started again makes it start anew', () => {
    const { worker, token } = withToken()
    worker.connect({ boot: bootOf('9') })
    worker.begin()
    expect(worker.hit(token)).toBeUndefined()
    expect(worker.cache.statistics().drops['replica restarted']).toBe(1)
  })
})

describe('another input of a verdict', () => {
  test('is the time that the replica believes, whatever the worker’s own clock says', () => {
    const worker = FedWorker.leased({ leaseMs: 60_000 })
    const token = text(mint([], { expiresAt: NOW_MS / 1000 + 30 }))
    worker.verify(token)
    worker.ms = 29_000
    expect(worker.hit(token)).toMatchObject({ ok: true })
    worker.ms = 30_000
    expect(worker.hit(token)).toMatchObject({ ok: false, reason: 'expired' })
  })

  test('is the age of the state, that of the replica’s own included', () => {
    const worker = FedWorker.leased({ ageMs: 300 })
    const token = text(mint(['staleness <= 500ms']))
    worker.verify(token)
    worker.ms = 150
    expect(worker.hit(token)).toMatchObject({ ok: true })
    worker.ms = 210
    expect(worker.hit(token)).toBeUndefined()
  })

  test('is the position that the caller wants: the lease must be of that state', () => {
    const { worker, token } = withToken()
    const checksum = '0'.repeat(16)
    expect(worker.hit(token, {}, { minPosition: `1.${'0'.repeat(14)}46.${checksum}` })).toMatchObject({ ok: true })
    expect(worker.hit(token, {}, { minPosition: `1.${'0'.repeat(14)}47.${checksum}` })).toBeUndefined()
    expect(worker.hit(token, {}, { minPosition: 'nonsense' })).toBeUndefined()
  })

  test('is who presented it, where the caller says that', () => {
    const { worker, token } = withToken(['peer? = laptop'])
    expect(worker.hit(token, {}, { peer: 'laptop' })).toMatchObject({ ok: true })
    expect(worker.hit(token, {}, { peer: 'phone' })).toMatchObject({ ok: false })
    expect(worker.hit(token, {}, { peer: 'x'.repeat(129) })).toBeUndefined()
  })
})
