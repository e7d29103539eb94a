/** The worker's cache behind the SDK: real nodes, and a proxy between worker and replica that counts, cuts and delays. */
import { expect, test } from 'vitest'
import { createVerifier, type Verifier, type VerifierOptions } from '../../../replica/worker/sdk.ts'
import { onTestFinished } from 'vitest'
import { Cluster, CLUSTER, identityOf, seedOf, until } from '../cluster/harness.ts'
import { Proxy } from '../cluster/proxy.ts'

const ACCESS = { org: 'acme' }

test('x', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const proxy = await Proxy.start(cluster.replica().address)
  const verifier = await createVerifier({ cluster: CLUSTER, identity: seedOf('worker'), replicas: [{ address: proxy.address, peerId: identityOf('fra').peerId }] })
  onTestFinished(async () => { await verifier.close(); await proxy.stop() })
  const minted = await signer.mint({ org: 'acme', subject: 'alice' })
  await until(() => verifier.statistics().leaseRemainingMs > 0, 'a lease')
  console.log(await verifier.verify(minted.token, ACCESS, { minPosition: minted.position }))
  console.log(await verifier.verify(minted.token, ACCESS))
  console.log(verifier.statistics())
  const t = performance.now()
  await signer.revoke({ id: minted.id })
  console.log(performance.now() - t, await verifier.verify(minted.token, ACCESS))
  console.log(verifier.statistics())
})
