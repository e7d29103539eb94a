/** A primary whose archive is a bucket, and an operator who restores from it: real nodes, a real store, faults between them. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import type { ArchiveStatus } from '../../../shared/protocol/status.ts'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { Cluster, codeOf, until } from '../../integration/cluster/harness.ts'
import { FaultProxy } from './fault-proxy.ts'
import { BUCKET, KEYS, startStore, type Store, urlOf } from './store.ts'

let store: Store
let proxy: FaultProxy

beforeAll(async () => {
  store = await startStore()
  proxy = await FaultProxy.start(store.address)
  for (const [name, value] of Object.entries(KEYS)) vi.stubEnv(name, value)
}, 600_000)
afterAll(() => {
  proxy.stop()
  store.stop()
})

const archive = (to: string): ReturnType<typeof archiveConfig.parse> => archiveConfig.parse({ to, upload_every_ms: 50 })
const statusOf = async (cluster: Cluster): Promise<ArchiveStatus | null> => (await cluster.primaryStatus()).archive

async function mint(cluster: Cluster, subject: string): Promise<void> {
  const signer = await cluster.signer()
  await signer.mint({ org: 'acme', subject })
  await signer.close()
}

test('acknowledged writes reach the bucket through an outage, and the command line restores them', async () => {
  const to = urlOf(proxy.address, 'primary')
  const cluster = Cluster.create({ regions: [], primary: { archive: archive(to) } })
  await cluster.startPrimary()
  await until(() => cluster.primary.writes === 'open', 'the bucket agreed with this primary')
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await signer.close()
  await mint(cluster, 'alice')
  const isArchived = async (): Promise<boolean> => (await statusOf(cluster))?.lag === 0
  await until(isArchived, 'everything is archived')
  const before = (await statusOf(cluster))?.position

  proxy.choose = () => 'refused'
  await mint(cluster, 'bob')
  await until(async () => ((await statusOf(cluster))?.alerts.length ?? 0) > 0, 'an alert is raised')
  const during = await statusOf(cluster)
  expect(during).toMatchObject({ location: to, position: before, lag: 1 })
  expect(during?.alerts.join()).toContain('no answer from')
  expect(JSON.stringify(during)).not.toMatch(/a-secret-of/)
  proxy.choose = () => undefined
  await until(isArchived, 'what waited is archived', 40_000)
  expect(await statusOf(cluster)).toMatchObject({ alerts: [] })

  const profile = await cluster.profile()
  const key = (await commandLine(['archive', 'key', '--json'], { profile })).json<{ key: string }>().key
  const run = (...args: readonly string[]): Promise<Ran> =>
    commandLine([...args, '--archive', to, '--key', key, '--json'])
  await cluster.stopPrimary()
  expect((await run('archive', 'verify')).json()).toMatchObject({ ok: true, bad: [] })
  expect((await run('archive', 'drill')).json()).toMatchObject({ ok: true })
  const output = join(cluster.folder, 'restored.db')
  const restored = await run('restore', '--output', output, '--yes', '--accept-head')
  expect(restored.json(), restored.stdout).toMatchObject({ file: output, begun: { epoch: 2 } })
  expect(existsSync(output)).toBe(true)
}, 90_000)

test('the primary heals its archive after a lying proxy and a deleting rule, and it restores', async () => {
  const to = urlOf(proxy.address, 'healed')
  const cluster = Cluster.create({ regions: [], primary: { archive: archive(to) } })
  await cluster.startPrimary()
  await until(() => cluster.primary.writes === 'open', 'the bucket agreed with this primary')
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await signer.close()
  const isArchived = async (): Promise<boolean> => (await statusOf(cluster))?.lag === 0
  let lies = 0
  for (const place of ['macaroond/manifest/', 'healed/0000/']) {
    const before = lies
    proxy.choose = ({ method, path }) => {
      if (method !== 'PUT' || !path.includes(place) || lies > before) return undefined
      lies += 1
      return 'lie'
    }
    await mint(cluster, 'alice')
    await until(isArchived, `archived after a lie about ${place}`, 40_000)
  }
  expect(lies).toBe(2)
  proxy.choose = () => undefined

  const folder = join(store.folder, 'healed/macaroond/manifest')
  const entries = (): readonly string[] => readdirSync(folder).toSorted()
  rmSync(join(folder, entries()[1]!))
  const { authorityKey } = await cluster.primaryStatus()
  const run = (...args: readonly string[]): Promise<Ran> =>
    commandLine([...args, '--archive', to, '--key', authorityKey, '--json'])
  const wounded = await run('archive', 'verify')
  expect(wounded).toMatchObject({ status: 1 })
  expect(wounded.json()).toMatchObject({ manifest: [expect.stringMatching(/entry 2 of the manifest .* is missing/)] })
  // The heartbeat finds it, once an hour; the next entry finds that the last one is gone.
  rmSync(join(folder, entries().at(-1)!))
  await mint(cluster, 'bob')
  await until(isArchived, 'archived in a chain that began anew', 40_000)
  expect((await run('archive', 'verify')).json()).toMatchObject({ ok: true, manifest: [], bad: [] })
  expect((await cluster.primaryStatus()).alarms.map(({ code }) => code)).toContain('archive_repaired')

  await cluster.stopPrimary()
  await cluster.startPrimary()
  await mint(cluster, 'carol')
  await until(isArchived, 'archived after a restart', 40_000)
  const restored = await run('restore', '--output', join(cluster.folder, 'restored.db'), '--yes', '--accept-head')
  expect(restored.json()).toMatchObject({ begun: { epoch: 2 } })
}, 120_000)

test('another cluster’s folder of a bucket is not written to', async () => {
  const to = urlOf(store.address, 'first')
  const first = Cluster.create({ regions: [], primary: { archive: archive(to) } })
  await first.startPrimary()
  await until(async () => (await statusOf(first))?.lag === 0, 'everything is archived')
  await first.stopPrimary()
  const second = Cluster.create({ regions: [], primary: { archive: archive(to) } })
  expect(await codeOf(second.startPrimary())).toBe('wrong_cluster')
})

test('a missing or forbidden bucket keeps writes waiting and is reported', async () => {
  const cluster = Cluster.create({ regions: [], primary: { archive: archive(urlOf(store.address, 'f', 'no-bucket')) } })
  await cluster.startPrimary()
  const signer = await cluster.signer()
  expect(await codeOf(signer.createOrg('acme'))).toBe('write_unconfirmed')
  expect((await statusOf(cluster))?.alerts.join()).toContain('NoSuchBucket')
})

test.each([
  ['no such bucket', {}, 'no-bucket', 'archive_missing', 1],
  ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong-1b7' }, BUCKET, 'archive_denied', 3],
  [
    'no credentials',
    { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SHARED_CREDENTIALS_FILE: '/none' },
    BUCKET,
    'archive_denied',
    3,
  ],
])('the command line says what is wrong: %s', async (_, env, bucket, code, status) => {
  for (const [name, value] of Object.entries({ ...KEYS, ...env })) vi.stubEnv(name, value)
  const to = urlOf(store.address, 'f', bucket)
  const ran = await commandLine(['archive', 'list', '--archive', to, '--key', '00'.repeat(32), '--json'])
  expect(ran.json()).toMatchObject({ error: { code, hint: expect.stringMatching(/.{20}/) } })
  expect(ran.status).toBe(status)
  expect(ran.stdout + ran.stderr).not.toMatch(/wrong-1b7|a-secret-of/)
})
