/** Several replicas of one region: the next one takes over, and none of them takes a worker back in time. */
import { expect, test } from 'vitest'
import { identityOf, until, type ClusterOptions } from '../cluster/harness.ts'
import { ACCESS, FRESHNESS, known, started, Worker } from './fixture.ts'

/** A lease that lasts for longer than it takes a worker to see that its replica hears nothing of the primary any more. */
const TWO_IN_ONE_REGION: ClusterOptions = {
  regions: ['fra', 'sin'],
  replica: { region: 'fra' },
  primary: { freshness: { ...FRESHNESS, lease_ms: 30_000 } },
}
const BOTH = ['fra', 'sin'] as const

test('a worker whose replica is lost keeps its cache, and the next replica feeds it revocations', async () => {
  const { cluster, signer } = await started(TWO_IN_ONE_REGION)
  const worker = await Worker.start(cluster, {}, BOTH)
  const { token, id } = await known(signer, worker)
  expect(worker.verifier.statistics().replica).toBe(identityOf('fra').peerId)
  worker.cut(worker.proxies.slice(0, 1))
  expect(await worker.say(token)).toBe('ok, cached')
  await until(() => worker.verifier.statistics().replica === identityOf('sin').peerId, 'the other one feeds it')
  expect(await worker.say(token)).toBe('ok, cached')
  expect(worker.verifier.statistics().drops).toMatchObject({ gap: 0, 'lease ended': 0, 'replica restarted': 0 })
  await signer.revoke({ id })
  await until(async () => (await worker.say(token)) === 'revoked', 'the revocation is here')
})

test('a worker leaves a replica that hears nothing of the primary, and never asks an older state', async () => {
  const { cluster, signer } = await started(TWO_IN_ONE_REGION)
  const worker = await Worker.start(cluster, { timeoutMs: 3_000 }, BOTH)
  const { token, id } = await known(signer, worker)
  const link = await cluster.proxy('fra')
  link.down = true
  link.cutAll()
  await until(() => worker.verifier.statistics().replica === identityOf('sin').peerId, 'the other one feeds it')
  await signer.revoke({ id })
  await until(async () => (await worker.say(token)) === 'revoked', 'the revocation is here')
  // The replica that was cut off still has its lease, and would accept the token.
  const direct = await cluster.verifier('fra')
  expect(await direct.verify(token, ACCESS)).toMatchObject({ ok: true })
  worker.cut(worker.proxies.slice(1))
  expect(await worker.verifier.verify(token, ACCESS)).toMatchObject({ ok: false, reason: 'unavailable' })
  expect(worker.verifier.statistics().applied).toEqual({ epoch: expect.any(Number), seq: 1 })
})

test('a replica of another region is not asked, neither for a verdict nor to be fed by', async () => {
  const { cluster, signer } = await started({ regions: ['fra', 'sin'], primary: { freshness: FRESHNESS } })
  const worker = await Worker.start(cluster, { region: 'fra', timeoutMs: 300 }, BOTH)
  const abroad = await Worker.start(cluster, { region: 'fra', crossRegion: true, timeoutMs: 1_000 }, BOTH)
  const { token } = await known(signer, worker, abroad)
  for (const one of [worker, abroad]) one.cut(one.proxies.slice(0, 1))
  await until(async () => (await worker.say(token)) === 'unavailable', 'the lease has run out')
  await until(() => abroad.verifier.statistics().replica === identityOf('sin').peerId, 'a replica abroad feeds it')
  expect(await abroad.verifier.verify(token, ACCESS)).toMatchObject({ ok: true, region: 'sin' })
  expect(worker.verifier.statistics()).toMatchObject({ leaseRemainingMs: 0, feedError: expect.any(String) })
})
