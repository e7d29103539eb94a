/** The time from which a primary acknowledges writes, and the answer to a revocation that no replica has confirmed. */
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Cluster, codeOf, until } from './harness.ts'

test('no write is acknowledged while every replica is away, and the hint says what to do', async () => {
  const cluster = Cluster.create()
  await cluster.startPrimary()
  const signer = await cluster.signer()
  const error: unknown = await signer.createOrg('acme').catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'write_unconfirmed', kind: 'unavailable' })
  expect((error as { hint: string }).hint).toContain('alone')
  expect((await cluster.primaryStatus()).writes).toBe('unconfirmed')
  expect((await signer.listOrgs()).orgs).toEqual([])
  await cluster.startReplica()
  await until(() => cluster.primary.writes === 'open', 'a replica confirms')
  expect(await codeOf(signer.createOrg('acme'))).toBe('no error')
})

test('`alone` opens writes without a replica', async () => {
  const cluster = Cluster.create()
  await cluster.startPrimary({ alone: true })
  expect(await codeOf((await cluster.signer()).createOrg('acme'))).toBe('no error')
})

test('without configured replicas writes open without a confirmation', async () => {
  const cluster = Cluster.create({ regions: [] })
  await cluster.startPrimary()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { id } = await signer.mint({ org: 'acme', subject: 'x' })
  expect(await signer.revoke({ id })).toMatchObject({ durability: 'local' })
})

test('an empty replica confirms nothing while another may know more, even if it connects again', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'] })
  await (await cluster.signer()).createOrg('acme')
  await cluster.caughtUp('fra')
  await cluster.caughtUp('sin')
  await cluster.stop()
  rmSync(cluster.replicaFolder('fra'), { recursive: true })
  await cluster.startPrimary()
  await cluster.startReplica('fra')
  await cluster.caughtUp('fra')
  const acknowledged = async (): Promise<boolean> => (await cluster.primaryStatus()).replicas[0]?.acknowledged !== null
  await until(acknowledged, 'fra has acknowledged its snapshot')
  expect(cluster.primary.writes).toBe('unconfirmed')
  await cluster.stopReplica('fra')
  await cluster.startReplica('fra')
  await until(async () => (await cluster.primaryStatus()).replicas[0]?.wal === true, 'fra is back')
  expect(cluster.primary.writes).toBe('unconfirmed')
  await cluster.startReplica('sin')
  await until(() => cluster.primary.writes === 'open', 'sin, which was there before, confirms')
})

test('writes open once every replica has connected with an empty disk', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'] })
  await (await cluster.signer()).createOrg('acme')
  await cluster.stop()
  for (const region of ['fra', 'sin']) rmSync(cluster.replicaFolder(region), { recursive: true })
  await cluster.startPrimary()
  await cluster.startReplica('fra')
  await cluster.caughtUp('fra')
  expect(cluster.primary.writes).toBe('unconfirmed')
  await cluster.startReplica('sin')
  await until(() => cluster.primary.writes === 'open', 'both were empty')
})

test('a durable revocation without replicas is indeterminate, and enforced when one returns', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'] })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const token = await signer.mint({ org: 'acme', subject: 'x' })
  await cluster.caughtUp('fra')
  await cluster.caughtUp('sin')
  await cluster.stopReplica('fra')
  await cluster.stopReplica('sin')
  const error: unknown = await signer.revoke({ token: token.token }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'position_unreached', kind: 'unavailable' })
  expect(await signer.revoke({ token: token.token, wait: 'local' })).toMatchObject({ durability: 'local' })
  await cluster.startReplica('fra')
  const verifier = await cluster.verifier()
  const refused = async (): Promise<boolean> => (await verifier.verify(token.token, { org: 'acme' })).ok === false
  await until(refused, 'fra refuses')
  expect(await signer.revoke({ token: token.token })).toMatchObject({ durability: 'replica' })
})
