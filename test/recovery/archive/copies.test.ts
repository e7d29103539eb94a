/** More than one place for an archive: each can be restored from, and none but the first holds anything up. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import type { ArchiveStatus } from '../../../shared/protocol/status.ts'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { Cluster, scratch, until } from '../../integration/cluster/harness.ts'

async function withCopy(): Promise<{ readonly cluster: Cluster; readonly copy: string }> {
  const copy = join(scratch(), 'copy')
  const archive = archiveConfig.parse({ upload_every_ms: 0, copies: [copy] })
  const cluster = Cluster.create({ regions: [], primary: { archive, alone: true } })
  await cluster.startPrimary()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await signer.close()
  return { cluster, copy }
}

async function statusOf(cluster: Cluster): Promise<ArchiveStatus> {
  const { archive } = await cluster.primaryStatus()
  if (archive === null) throw new Error('there is no archive')
  return archive
}

async function mint(cluster: Cluster): Promise<void> {
  const signer = await cluster.signer()
  await signer.mint({ org: 'acme', subject: 'someone' })
  await signer.close()
}

const isAllArchived = async (cluster: Cluster): Promise<boolean> => {
  const { lag, copies } = await statusOf(cluster)
  return lag === 0 && copies.every((copy) => copy.lag === 0)
}

test('every place has everything, and a database comes back from any of them', async () => {
  const { cluster, copy } = await withCopy()
  await mint(cluster)
  await until(() => isAllArchived(cluster), 'everything is archived')
  const { position, copies } = await statusOf(cluster)
  expect(copies).toMatchObject([{ location: copy, position, alerts: [] }])
  const key = (await cluster.primaryStatus()).authorityKey
  await cluster.stopPrimary()
  const run = (archive: string, ...args: readonly string[]): Promise<Ran> =>
    commandLine([...args, '--archive', archive, '--key', key, '--json'])
  for (const [name, archive] of [`${cluster.primaryFolder}-archive`, copy].entries()) {
    expect((await run(archive, 'archive', 'verify')).json(), archive).toMatchObject({ ok: true, bad: [] })
    const restored = await run(
      archive,
      'restore',
      '--output',
      join(cluster.folder, `${name}.db`),
      '--yes',
      '--accept-head',
    )
    expect(restored.json(), archive).toMatchObject({ plan: { grain: 'newest' }, begun: { epoch: 2 } })
  }
})

test('a copy that cannot be written raises an alert by name, delays nothing, and catches up', async () => {
  const { cluster, copy } = await withCopy()
  await until(() => isAllArchived(cluster), 'everything is archived')
  const away = `${copy}-away`
  renameSync(copy, away)
  writeFileSync(copy, 'a file where a directory should be')
  await mint(cluster)
  await until(async () => (await statusOf(cluster)).alerts.length > 0, 'an alert is raised')
  await until(async () => (await statusOf(cluster)).lag === 0, 'the archive itself goes on')
  const { alerts, copies } = await statusOf(cluster)
  expect(alerts.join()).toContain(`copy ${copy}: `)
  expect(copies).toMatchObject([{ lag: 1 }])
  rmSync(copy)
  renameSync(away, copy)
  await until(() => isAllArchived(cluster), 'the copy has caught up', 20_000)
  expect((await statusOf(cluster)).alerts).toEqual([])
})

test('a copy that belongs to another cluster is left alone, and stops nobody', async () => {
  const { cluster: other, copy } = await withCopy()
  await until(() => isAllArchived(other), 'everything is archived')
  await other.stopPrimary()
  const archive = archiveConfig.parse({ upload_every_ms: 0, copies: [copy] })
  const cluster = Cluster.create({ regions: [], primary: { archive, alone: true } })
  await cluster.startPrimary()
  await until(async () => (await statusOf(cluster)).alerts.length > 0, 'an alert is raised')
  // In its first moment it is told as of another cluster, later as without our signature.
  expect((await statusOf(cluster)).alerts.join()).toMatch(/of (another|this) authority/)
  const signer = await cluster.signer()
  await signer.createOrg('globex')
  await until(async () => (await statusOf(cluster)).lag === 0, 'the archive itself goes on')
})
