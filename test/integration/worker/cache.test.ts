/** The worker's cache behind the SDK, against real nodes. */
import { expect, test } from 'vitest'
import { identityOf } from '../cluster/harness.ts'
import { ACCESS, cachedToken, started, worker } from './fixture.ts'

test('a token that was verified once is answered with no message to a replica, and says by what state', async () => {
  const { cluster, signer } = await started()
  const fra = await worker(cluster)
  const { token } = await cachedToken(signer, fra)
  const { misses } = fra.verifier.statistics()
  const verdict = await fra.verifier.verify(token, ACCESS)
  expect(verdict).toMatchObject({ ok: true, cached: 'exact', region: 'fra', node: identityOf('fra').peerId })
  expect(fra.verifier.statistics()).toMatchObject({ misses, hits: 2, entries: 1, applied: { seq: 0 } })
})

test('a revocation reaches every worker that has the token, and what was attenuated from it goes with it', async () => {
  const { cluster, signer } = await started()
  const workers = [await worker(cluster), await worker(cluster)]
  for (const one of workers) {
    const { token, id } = await cachedToken(signer, one)
    await signer.revoke({ id, wait: 'global' })
    expect(await one.verifier.verify(token, ACCESS)).toMatchObject({ ok: false, reason: 'revoked' })
    expect(one.verifier.statistics()).toMatchObject({ entries: 0, revokedEntries: 1 })
  }
})
