/** The worker's cache behind the SDK, against real nodes. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { txid as asTxid } from '../../../shared/ids.ts'
import { parsePosition, positionText } from '../../../shared/position.ts'
import { identityOf, until } from '../cluster/harness.ts'
import { ACCESS, FRESHNESS, known, SHORT_LEASE, started, Worker } from './fixture.ts'

test('a worker that is cut off answers what it knows until its lease ends, and recovers after', async () => {
  const { cluster, signer } = await started(SHORT_LEASE)
  const worker = await Worker.start(cluster, { timeoutMs: 200 })
  const { token } = await known(signer, worker)
  worker.cut()
  const verdict = await worker.verifier.verify(token, ACCESS)
  expect(verdict).toMatchObject({ ok: true, cached: 'exact', region: 'fra', node: identityOf('fra').peerId })
  await until(async () => (await worker.say(token)) !== 'ok, cached', 'the lease has run out', FRESHNESS.lease_ms + 500)
  expect(await worker.say(token)).toBe('unavailable')
  expect(worker.verifier.statistics()).toMatchObject({ leaseRemainingMs: 0, entries: 0, drops: { 'lease ended': 1 } })
  worker.heal()
  await until(async () => (await worker.say(token)) === 'ok, cached', 'it is fresh again', 2_000)
})

test('no worker accepts the token or its descendants after a global revocation', async () => {
  const { cluster, signer } = await started()
  const workers = [await Worker.start(cluster), await Worker.start(cluster)]
  const { token, id } = await known(signer, ...workers)
  const late = await Worker.start(cluster)
  const [proxy] = late.proxies
  if (proxy === undefined) throw new Error('there is no proxy')
  proxy.hold = { requestBytes: 250 }
  const onItsWay = late.verifier.verify(token, ACCESS)
  await until(() => proxy.holds > 0, 'the replica was asked')
  await signer.revoke({ id, wait: 'global' })
  for (const worker of workers) {
    expect(await worker.say(token)).toBe('revoked')
    expect(worker.verifier.statistics()).toMatchObject({ revokedEntries: 1, applied: { seq: 1 } })
  }
  expect(late.verifier.statistics()).toMatchObject({ applied: { seq: 1 } })
  proxy.release()
  expect(await onItsWay).toMatchObject({ ok: false, reason: 'revoked' })
  expect(late.verifier.statistics()).toMatchObject({ overtaken: 1, entries: 0 })
})

test('a global revocation waits for the lease of a worker that cannot be reached, and no longer', async () => {
  const { cluster, signer } = await started(SHORT_LEASE)
  const worker = await Worker.start(cluster, { timeoutMs: 200 })
  const { token, id } = await known(signer, worker)
  worker.cut()
  let over = false
  const revoked = signer.revoke({ id, wait: 'global' }).finally(() => (over = true))
  await until(async () => (await cluster.primaryStatus()).revocationSeq === 1, 'it is committed')
  expect(await worker.say(token)).toBe('ok, cached')
  let accepted = 0
  for (; !over; await delay(10)) accepted += (await worker.say(token)) === 'ok, cached' ? 1 : 0
  expect(accepted).toBeGreaterThan(0)
  expect(await worker.say(token)).toBe('unavailable')
  expect((await revoked).replicas).toMatchObject([{ name: 'fra', how: 'lease expired' }])
})

test('a replica that restarts makes its workers start anew, and revocations reach them', async () => {
  const { cluster, signer } = await started(SHORT_LEASE)
  const worker = await Worker.start(cluster)
  const { token, id } = await known(signer, worker)
  await cluster.stopReplica()
  const revoked = signer.revoke({ id, wait: 'global' })
  const replica = await cluster.startReplica()
  for (const proxy of worker.proxies) proxy.aim(replica.address)
  await until(() => worker.verifier.statistics().drops['replica restarted'] === 1, 'it has started anew')
  await revoked
  await until(async () => (await worker.say(token)) === 'revoked', 'the revocation is here')
})

test('a caller’s minimum position and a caveat on the state’s age are both respected', async () => {
  const { cluster, signer } = await started(SHORT_LEASE)
  const worker = await Worker.start(cluster)
  const { token } = await known(signer, worker)
  const { position } = await signer.mint({ org: 'acme', subject: 'bob' })
  const verdict = await worker.verifier.verify(token, ACCESS, { minPosition: position })
  expect(verdict).toMatchObject({ ok: true })
  expect(verdict.txid).toBeGreaterThanOrEqual(parsePosition(position).txid)
  const later = parsePosition(position)
  const unreached = positionText({ ...later, txid: asTxid(later.txid + 1_000) })
  const waited = await worker.verifier.verify(token, ACCESS, { minPosition: unreached, timeoutMs: 3_000 })
  expect(waited).toMatchObject({ ok: false, reason: 'unavailable', node: identityOf('fra').peerId })
  const fresh = await signer.mint({ org: 'acme', subject: 'carol', caveats: ['staleness <= 60ms'] })
  await worker.verifier.verify(fresh.token, ACCESS, { minPosition: fresh.position })
  const { misses, hits } = worker.verifier.statistics()
  // The worker's own state is older than that for most of the time, so the replica asks the primary.
  await until(async () => {
    expect(await worker.say(fresh.token)).toMatch(/^ok/)
    return worker.verifier.statistics().misses > misses && worker.verifier.statistics().hits > hits
  }, 'both a hit and a fresh check')
})
