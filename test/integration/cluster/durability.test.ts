/** S7: the places that a revocation must reach before it is acknowledged, and the answer if it does not reach them. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkConfig } from '../../../shared/config/read-config.ts'
import { primaryConfig } from '../../../primary/config.ts'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { Cluster, codeOf, scratch } from './harness.ts'

async function token(cluster: Cluster): Promise<{ readonly id: string; readonly revoke: () => Promise<object> }> {
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { id } = await signer.mint({ org: 'acme', subject: 'x' })
  return { id, revoke: () => signer.revoke({ id }) }
}

test('with `archive` a revocation is archived before its acknowledgement, without the next round', async () => {
  const archive = { ...archiveConfig.parse({}), to: join(scratch(), 'archive'), upload_every_ms: 60_000 }
  const cluster = await Cluster.start({
    regions: [],
    primary: { archive, durability: { revocations: 'archive', degraded: false } },
  })
  const { revoke } = await token(cluster)
  expect(await revoke()).toMatchObject({ durability: 'archive' })
  const { archive: status, durability } = await cluster.primaryStatus()
  expect(status?.lag).toBe(0)
  expect(durability).toMatchObject({ revocations: 'archive', degradedSinceMs: null })
})

test('in degraded mode a revocation is answered without its replicas, and the status says so', async () => {
  const cluster = await Cluster.start({ primary: { durability: { degraded: true } } })
  const { revoke } = await token(cluster)
  await cluster.stopReplica('fra')
  expect(await revoke()).toMatchObject({ durability: 'local', degraded: true })
  const { durability } = await cluster.primaryStatus()
  expect(durability).toMatchObject({ revocations: 'replica', degraded: true, degradedAnswers: 1 })
  expect(durability.degradedSinceMs).toBeGreaterThan(0)
})

test('without degraded mode the outcome is unknown, and a retry reports it once it is durable', async () => {
  const cluster = await Cluster.start()
  const { revoke } = await token(cluster)
  await cluster.stopReplica('fra')
  expect(await codeOf(revoke())).toBe('position_unreached')
  await cluster.startReplica('fra')
  expect(await revoke()).toMatchObject({ durability: 'replica', already: true })
})

test('an archive beside the data makes no revocation durable', () => {
  const cluster = Cluster.create()
  const { archive, ...config } = cluster.primaryConfig()
  const wanted = { ...config, durability: { revocations: 'archive' } }
  expect(() => checkConfig('primary.toml', wanted, primaryConfig)).toThrow(/would be lost with it/)
  expect(archive).toBeDefined()
})
