/** Two authorities that the same stories are told to: the one of `macaroond/testing`, and a cluster of real nodes with sockets. */
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { createTestAuthority } from '../../../ops/testing/sdk.ts'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { createVerifier, type Verifier } from '../../../replica/worker/sdk.ts'
import { Cluster, CLUSTER, identityOf, peerEntry, seedOf, until } from '../cluster/harness.ts'
import { FRESHNESS } from '../worker/fixture.ts'

export interface World {
  readonly signer: Signer
  /** May act for acme only. */
  readonly acme: Signer
  /** A verifier of the region `fra`. */
  readonly verifier: Verifier
  /** Lets time pass, in milliseconds. */
  readonly pass: (ms: number) => void | Promise<void>
  readonly loseLease: () => void | Promise<void>
  readonly restoreLease: () => void | Promise<void>
}

/** Also for the leases, which a real cluster cannot be hurried about. */
export type MakeWorld = (cache: boolean) => Promise<World>

export async function inProcess(cache: boolean): Promise<World> {
  const authority = await createTestAuthority({ region: 'fra', cache })
  onTestFinished(() => authority.close())
  const { signer, verifier, loseLease, restoreLease, clock } = authority
  return { signer, verifier, acme: authority.signerFor('acme'), pass: clock.advance, loseLease, restoreLease }
}

export async function withSockets(cache: boolean): Promise<World> {
  const cluster = Cluster.create({ primary: { freshness: FRESHNESS } })
  cluster.peers.push(peerEntry('stranger', { role: 'signer', orgs: [] }))
  await cluster.startPrimary()
  await cluster.startReplica()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  await cluster.caughtUp()
  const [signer, acme] = await Promise.all([cluster.signer(), cluster.signer('acme')])
  const replicas = [{ address: cluster.replica().address, peerId: identityOf('fra').peerId }]
  const options = { cluster: CLUSTER, identity: seedOf('worker'), replicas, region: 'fra', timeoutMs: 5_000, cache }
  const verifier = await createVerifier(options)
  onTestFinished(() => verifier.close())
  const link = await cluster.proxy()
  const leased = (): boolean => !cache || verifier.statistics().leaseRemainingMs > 0
  await until(leased, 'the verifier has its lease')
  return {
    signer,
    acme,
    verifier,
    pass: (ms) => delay(ms),
    loseLease: async () => {
      link.down = true
      link.cutAll()
      await until(() => !verifier.health().serving, 'the lease has run out')
    },
    restoreLease: async () => {
      link.down = false
      await verifier.ready({ timeoutMs: 20_000 })
      await cluster.caughtUp()
      await until(leased, 'the verifier has its lease again')
    },
  }
}
