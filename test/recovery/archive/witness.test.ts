/** The archive as a witness: it decides if a database is its own, if it is the newest, and if its primary may lead. */
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { Cluster, codeOf, scratch, until } from '../../integration/cluster/harness.ts'

const ARCHIVED = { archive: archiveConfig.parse({ upload_every_ms: 0 }), alone: true }

async function writing(): Promise<Cluster> {
  const cluster = Cluster.create({ regions: [], primary: ARCHIVED })
  await cluster.startPrimary()
  await mint(cluster, 'acme')
  return cluster
}

async function mint(cluster: Cluster, org: string): Promise<void> {
  const signer = await cluster.signer()
  await signer.createOrg(org)
  await signer.mint({ org, subject: 'someone' })
  await signer.close()
  await until(async () => (await cluster.primaryStatus()).archive?.lag === 0, 'everything is archived')
}

test('a primary whose disk was put back to an older copy does not start: its archive has more', async () => {
  const cluster = await writing()
  await cluster.stopPrimary()
  const copy = join(cluster.folder, 'copy')
  cpSync(cluster.primaryFolder, copy, { recursive: true })
  await cluster.startPrimary()
  await mint(cluster, 'globex')
  await cluster.stopPrimary()
  rmSync(cluster.primaryFolder, { recursive: true })
  cpSync(copy, cluster.primaryFolder, { recursive: true })
  expect(await codeOf(cluster.startPrimary())).toBe('position_diverged')
})

test('a new database does not take over the archive of the one that was lost', async () => {
  const cluster = await writing()
  await cluster.stopPrimary()
  rmSync(cluster.primaryFolder, { recursive: true })
  expect(await codeOf(cluster.startPrimary())).toBe('wrong_cluster')
})

test('writes wait for an archive that lies elsewhere, and no start fails because it is away', async () => {
  const to = join(scratch(), 'elsewhere')
  const elsewhere = archiveConfig.parse({ upload_every_ms: 0, to })
  writeFileSync(to, 'a file where a directory should be')
  const cluster = Cluster.create({ regions: [], primary: { archive: elsewhere } })
  await cluster.startPrimary()
  const signer = await cluster.signer()
  expect(await codeOf(signer.createOrg('acme'))).toBe('write_unconfirmed')
  expect((await cluster.primaryStatus()).archive?.alerts).toHaveLength(1)
  rmSync(to)
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  await signer.createOrg('acme')
  await until(async () => (await cluster.primaryStatus()).archive?.lag === 0, 'everything is archived')
  await cluster.stopPrimary()
  await cluster.startPrimary()
  expect(cluster.primary.writes).toBe('open')
})

test('an archive beside the data is no witness: a primary alone takes writes while it is away', async () => {
  const cluster = Cluster.create({ regions: [], primary: { archive: archiveConfig.parse({}) } })
  writeFileSync(`${cluster.primaryFolder}-archive`, 'a file where a directory should be')
  await cluster.startPrimary()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  expect(await cluster.primaryStatus()).toMatchObject({ orgs: 1, archive: { position: null } })
})

test('an archive that cannot be written delays no commit, and raises an alert until it can', async () => {
  const cluster = await writing()
  const level = join(`${cluster.primaryFolder}-archive`, 'ltx/0')
  rmSync(level, { recursive: true })
  writeFileSync(level, 'a file where a directory should be')
  const signer = await cluster.signer()
  await signer.mint({ org: 'acme', subject: 'meanwhile' })
  const status = async (): ReturnType<typeof cluster.primaryStatus> => cluster.primaryStatus()
  await until(async () => ((await status()).archive?.alerts.length ?? 0) > 0, 'an alert is raised')
  expect((await status()).archive).toMatchObject({ lag: 1 })
  rmSync(level)
  await until(async () => (await status()).archive?.lag === 0, 'what waited is archived')
  expect((await status()).archive?.alerts).toEqual([])
})
