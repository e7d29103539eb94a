/** Workers with caches before real replicas, each behind a proxy that cuts and delays. */
import { onTestFinished } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { createVerifier, type Verifier, type VerifierOptions, type WorkerVerdict } from '../../../replica/worker/sdk.ts'
import { Cluster, CLUSTER, identityOf, seedOf, until, type ClusterOptions, type Who } from '../cluster/harness.ts'
import { Proxy } from '../cluster/proxy.ts'

export const ACCESS = { org: 'acme' }
/** Short enough to be waited for. */
export const FRESHNESS = { lease_ms: 1_500, ping_ms: 100, clock_rate_error: 0.005, decision_ms: 50 }
export const SHORT_LEASE: ClusterOptions = { primary: { freshness: FRESHNESS } }

export class Worker {
  readonly verifier: Verifier
  /** Before its replicas, in their order. */
  readonly proxies: readonly Proxy[]

  private constructor(verifier: Verifier, proxies: readonly Proxy[]) {
    this.verifier = verifier
    this.proxies = proxies
  }

  /** Of the replicas named, once it holds a lease. */
  static async start(
    cluster: Cluster,
    options: Partial<VerifierOptions> = {},
    names: readonly ('fra' | 'sin')[] = ['fra'],
  ): Promise<Worker> {
    const proxies = await Promise.all(names.map((name) => Proxy.start(cluster.replica(name).address)))
    const replicas = proxies.map(({ address }, index) => {
      return { address, peerId: identityOf(names[index] as Who).peerId }
    })
    const verifier = await createVerifier({ cluster: CLUSTER, identity: seedOf('worker'), replicas, ...options })
    onTestFinished(async () => {
      await verifier.close()
      for (const proxy of proxies) await proxy.stop()
    })
    const worker = new Worker(verifier, proxies)
    if (options.cache !== false) await worker.leased()
    return worker
  }

  async leased(): Promise<void> {
    await until(() => this.verifier.statistics().leaseRemainingMs > 0, 'the worker holds a lease')
  }

  /** `ok`, or why not; from the cache or not. */
  async say(token: string): Promise<string> {
    return said(await this.verifier.verify(token, ACCESS))
  }

  /** From all its replicas, or from some. */
  cut(proxies: readonly (Proxy | undefined)[] = this.proxies): void {
    for (const proxy of proxies) {
      if (proxy === undefined) continue
      proxy.down = true
      proxy.cutAll()
    }
  }

  heal(): void {
    for (const proxy of this.proxies) proxy.down = false
  }

  /** Has the token in its cache from now on. */
  async learn(token: string, minPosition: string): Promise<void> {
    const first = await this.verifier.verify(token, ACCESS, { minPosition, timeoutMs: 5_000 })
    const second = await this.verifier.verify(token, ACCESS, { timeoutMs: 5_000 })
    if (!first.ok || second.cached !== 'exact') throw new Error(`not cached: ${JSON.stringify({ first, second })}`)
  }
}

export function said(verdict: WorkerVerdict): string {
  return verdict.ok ? (verdict.cached === undefined ? 'ok' : 'ok, cached') : verdict.reason
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

/** A token that these workers have in their caches. */
export async function known(signer: Signer, ...workers: readonly Worker[]): Promise<Minted> {
  const { token, id, position } = await signer.mint({ org: 'acme', subject: 'alice' })
  for (const worker of workers) await worker.learn(token, position)
  return { token, id }
}
