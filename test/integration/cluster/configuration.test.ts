/** The configuration that the database remembers: a restore learns from it which replicas it has to ask. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Configured, readConfigured } from '../../../shared/database/configured.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { commandLine, type Ran } from '../cli/command.ts'
import { Cluster, identityOf, until } from './harness.ts'

/** Read at a place that no node of this process has open. */
function remembered(folder: string): { configured: Configured | undefined; audit: readonly string[] } {
  const db = openReader(join(folder, 'macaroond.db'))
  try {
    const select = "SELECT detail FROM audit WHERE action = 'configuration.note' ORDER BY seq"
    return { configured: readConfigured(db), audit: db.prepare<[], string>(select).pluck().all() }
  } finally {
    db.close()
  }
}

const replicas = (...regions: readonly ('fra' | 'sin')[]): Configured['replicas'] =>
  regions
    .map((region) => ({ peerId: String(identityOf(region).peerId), region }))
    .toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))

test('a primary records its replicas and the reach of revocations, and again at each change', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'] })
  await until(
    async () => (await cluster.primaryStatus()).position.split('.')[1]! > '0000000000000001',
    'it has written',
  )
  await cluster.stopPrimary()
  const first = remembered(cluster.primaryFolder)
  expect(first.configured).toEqual({ replicas: replicas('fra', 'sin'), durability: 'replica', degraded: false })
  expect(first.audit).toHaveLength(1)
  // Nothing is written for a configuration that is remembered.
  await cluster.startPrimary({ alone: true })
  await (await cluster.signer()).createOrg('acme')
  await cluster.stopPrimary()
  expect(remembered(cluster.primaryFolder).audit).toHaveLength(1)

  await cluster.startPrimary({ durability: { degraded: true } })
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  await cluster.stopReplica('sin')
  cluster.peers = cluster.peers.filter(({ name }) => name !== 'sin')
  await cluster.primary.reload()
  const signer = await cluster.signer()
  const { id } = await signer.mint({ org: 'acme', subject: 'x' })
  await signer.revoke({ id })
  await cluster.stopPrimary()
  const last = remembered(cluster.primaryFolder)
  expect(last.configured).toEqual({ replicas: replicas('fra'), durability: 'replica', degraded: true })
  expect(last.audit.length).toBeGreaterThan(1)
})

test('a reload that cannot be audited is done, says so, and is audited once writes are open', async () => {
  const cluster = await Cluster.start()
  const profile = await cluster.profile()
  const reload = (): Promise<Ran> => commandLine(['reload', '--json'], { profile })
  const audited = async (): Promise<number> => {
    const ran = await commandLine(['audit', 'list', '--kind', 'configuration.reload', '--json'], { profile })
    return ran.json<{ records: readonly unknown[] }>().records.length
  }
  const answer = (isAudited: boolean): object => ({ nodes: [{ reloaded: { audited: isAudited } }] })
  expect((await reload()).json()).toMatchObject(answer(true))
  expect(await audited()).toBe(1)

  await cluster.stopReplica()
  await cluster.stopPrimary()
  await cluster.startPrimary({ alone: false })
  // No replica has confirmed the disk, so nothing is written. A leaked key is removed all the same.
  cluster.peers = cluster.peers.filter(({ name }) => name !== 'worker')
  expect((await reload()).json()).toMatchObject(answer(false))
  expect((await commandLine(['reload'], { profile })).stdout).toContain('not audited yet: the primary cannot write now')
  expect(await audited()).toBe(1)
  await cluster.startReplica()
  await until(async () => (await audited()) === 3, 'both reloads are audited')
})
