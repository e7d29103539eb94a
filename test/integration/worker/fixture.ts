/** Workers with caches before real replicas, each behind a proxy that counts, cuts and delays. */
import { onTestFinished } from 'vitest'
import type { Signer } from '../../../primary/client/sdk.ts'
import { createVerifier, type Verifier, type VerifierOptions } from '../../../replica/worker/sdk.ts'
import { Cluster, CLUSTER, identityOf, seedOf, until, type ClusterOptions, type Who } from '../cluster/harness.ts'
import { Proxy } from '../cluster/proxy.ts'

export const ACCESS = { org: 'acme' }

export interface Worker {
  readonly verifier: Verifier
  /** Before the replicas, in their order. */
  readonly proxies: readonly Proxy[]
}

/** A worker of the regions' replicas, once it holds a lease. */
export async function worker(
  cluster: Cluster,
  options: Partial<VerifierOptions> = {},
  regions: readonly ('fra' | 'sin')[] = ['fra'],
): Promise<Worker> {
  const proxies = await Promise.all(regions.map((region) => Proxy.start(cluster.replica(region).address)))
  const replicas = proxies.map(({ address }, index) => {
    return { address, peerId: identityOf(regions[index] as Who).peerId }
  })
  const verifier = await createVerifier({ cluster: CLUSTER, identity: seedOf('worker'), replicas, ...options })
  onTestFinished(async () => {
    await verifier.close()
    for (const proxy of proxies) await proxy.stop()
  })
  if (options.cache !== false) await leased(verifier)
  return { verifier, proxies }
}

export async function leased(verifier: Verifier): Promise<void> {
  await until(() => verifier.statistics().leaseRemainingMs > 0, 'the worker holds a lease')
}

export interface Minted {
  readonly token: string
  readonly id: string
}

export async function started(options: ClusterOptions = {}): Promise<{ cluster: Cluster; signer: Signer }> {
  const cluster = await Cluster.start(options)
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  return { cluster, signer }
}

/** A token that this worker has in its cache. */
export async function cachedToken(signer: Signer, { verifier }: Worker): Promise<Minted> {
  const { token, id, position } = await signer.mint({ org: 'acme', subject: 'alice' })
  const first = await verifier.verify(token, ACCESS, { minPosition: position })
  const second = await verifier.verify(token, ACCESS)
  if (!first.ok || second.cached !== 'exact') throw new Error(`not cached: ${JSON.stringify({ first, second })}`)
  return { token, id }
}
