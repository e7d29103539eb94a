/**
 * S2, S4, V1, V2: the answers of a replica that is cut off from the primary, and the time at which a revocation binds
 * everywhere.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Verdict } from '../../../shared/verifier/verdict.ts'
import { Cluster, until } from './harness.ts'

const FRESHNESS = { lease_ms: 1_500, ping_ms: 100, clock_rate_error: 0.005, decision_ms: 50 }
const START = { regions: ['fra', 'sin'], primary: { freshness: FRESHNESS } } as const
const READ = { org: 'acme', op: 'read' }

function said(verdict: Verdict): string {
  return verdict.ok ? 'ok' : verdict.reason
}

async function cutOff(cluster: Cluster, region: 'fra' | 'sin'): Promise<() => void> {
  const proxy = await cluster.proxy(region)
  proxy.down = true
  proxy.cutAll()
  return () => (proxy.down = false)
}

test('a replica that is cut off answers until its lease ends, and is fresh again after the cut', async () => {
  const cluster = await Cluster.start(START)
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { token, position } = await signer.mint({ org: 'acme', subject: 'x' })
  const verifier = await cluster.verifier()
  expect(said(await verifier.verify(token, READ, { minPosition: position }))).toBe('ok')
  const heal = await cutOff(cluster, 'fra')
  for (let count = 0; count < 20; count += 1) expect(said(await verifier.verify(token, READ))).toBe('ok')
  await until(async () => said(await verifier.verify(token, READ)) === 'unavailable', 'the lease has run out', 3_000)
  expect(said(await verifier.verify('mcn1_AA', READ))).toBe('unavailable')
  expect(await cluster.replicaStatus('fra')).toMatchObject({ freshness: { leaseMs: 0 } })
  const other = await cluster.verifier('sin')
  expect(said(await other.verify(token, READ))).toBe('ok')
  heal()
  await until(async () => said(await verifier.verify(token, READ)) === 'ok', 'it is fresh again', 2_000)
})

test('a global revocation waits for the lease of a cut-off region, and says how each is covered', async () => {
  const cluster = await Cluster.start(START)
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { token, id, position } = await signer.mint({ org: 'acme', subject: 'x' })
  const verifier = await cluster.verifier('fra')
  expect(said(await verifier.verify(token, READ, { minPosition: position }))).toBe('ok')
  await cutOff(cluster, 'fra')
  const soFar: string[][] = []
  const revoked = signer.revoke({
    id,
    wait: 'global',
    onProgress: ({ replicas }) => void soFar.push(replicas.map(({ name, how }) => `${name} ${how}`)),
  })
  await delay(300)
  expect(said(await verifier.verify(token, READ))).toBe('ok')
  const { replicas } = await revoked
  expect(said(await verifier.verify(token, READ))).toBe('unavailable')
  expect(replicas).toMatchObject([
    { name: 'fra', how: 'lease expired' },
    { name: 'sin', how: 'acknowledged' },
  ])
  expect(soFar.at(-1)).toContain('fra pending')
})

test('a global revocation after a restart waits for leases that the last process may have left', async () => {
  const cluster = await Cluster.start(START)
  const before = await cluster.signer()
  await before.createOrg('acme')
  const { token, id, position } = await before.mint({ org: 'acme', subject: 'x' })
  const verifier = await cluster.verifier('fra')
  expect(said(await verifier.verify(token, READ, { minPosition: position }))).toBe('ok')
  await cutOff(cluster, 'fra')
  await cluster.stopPrimary()
  const startedMs = performance.now()
  await cluster.startPrimary()
  const signer = await cluster.signer()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  await signer.revoke({ id, wait: 'global' })
  expect(performance.now() - startedMs).toBeGreaterThan(FRESHNESS.lease_ms)
  expect(said(await verifier.verify(token, READ))).toBe('unavailable')
})

test('a replica that restarts judges nothing before the primary has granted it a lease', async () => {
  const cluster = await Cluster.start(START)
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { token, position } = await signer.mint({ org: 'acme', subject: 'x' })
  await cluster.stopReplica('fra')
  const heal = await cutOff(cluster, 'fra')
  await cluster.startReplica('fra')
  const verifier = await cluster.verifier('fra')
  expect(said(await verifier.verify(token, READ))).toBe('unavailable')
  heal()
  expect(said(await verifier.verify(token, READ, { minPosition: position }))).toBe('ok')
})
