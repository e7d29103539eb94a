/** Two real primaries and one archive: the first is stopped by SIGSTOP while its successor leads past a base, and wakes up. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { manifestKey } from '../../../shared/archive/layout.ts'
import type { ManifestState } from '../../../shared/archive/manifest-state.ts'
import { readManifest } from '../../../shared/archive/read-chain.ts'
import { verifyArchive } from '../../../shared/archive/verify-archive.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { Cluster, freePort, type NodeFiles } from '../../chaos/cluster.ts'
import { macaroond } from '../../integration/cli/command.ts'
import { until } from '../../integration/cluster/harness.ts'

const READY_MS = 30_000
const ORG = 'acme'
const FREQUENT_BASES = [join(import.meta.dirname, 'frequent-bases.ts')]
const CALL_MS = 40_000

/** The same node on another data folder and another port, as after a restore on a second machine. */
async function successorOf({ primary, root }: Cluster): Promise<NodeFiles> {
  const folder = join(root, 'primary')
  const [data, config] = [join(folder, 'restored'), join(folder, 'restored.toml')]
  const address = `127.0.0.1:${await freePort()}`
  const text = readFileSync(primary.config, 'utf8')
  writeFileSync(config, text.replace('data = "data"', 'data = "restored"').replace(primary.address, address))
  mkdirSync(data)
  return { ...primary, config, data, address, database: join(data, 'macaroond.db') }
}

async function restoreInto({ database }: NodeFiles, archive: string, key: string): Promise<void> {
  const args = ['restore', '--archive', archive, '--key', key, '--output', database, '--yes', '--accept-head', '--json']
  const restored = await macaroond(args)
  expect(restored.status, restored.stderr).toBe(0)
}

test('a primary that wakes after its successor wrote a base acknowledges nothing and exits', async () => {
  const cluster = await Cluster.create({
    replicas: [],
    primarySettings: (root) => `[durability]
revocations = "archive"
[archive]
to = "${join(root, 'archive')}"
upload_every_ms = 0
`,
  })
  onTestFinished(() => cluster.remove(false))
  const archive = join(cluster.root, 'archive')
  const old = cluster.start(cluster.primary, { imports: FREQUENT_BASES })
  await old.ready(READY_MS)
  const signer = await cluster.signer(CALL_MS)
  await until(async () => (await cluster.primaryStatus()).writes === 'open', 'writes are open')
  await signer.createOrg(ORG)
  const { token } = await signer.mint({ org: ORG, subject: 'mallory' })
  const { token: other } = await signer.mint({ org: ORG, subject: 'bob' })
  await signer.revoke({ token })
  const { authorityKey } = await cluster.primaryStatus()
  const storage = await DirectoryStorage.open(archive)
  const seen = (): Promise<ManifestState> => readManifest(storage, Buffer.from(authorityKey, 'hex'))
  old.signal('SIGSTOP')
  const next = manifestKey((await seen()).seq + 1)

  const files = await successorOf(cluster)
  await restoreInto(files, archive, authorityKey)
  const successor = cluster.start(files, { imports: FREQUENT_BASES })
  await successor.ready(READY_MS)
  const second = await cluster.signerOf(files, CALL_MS)
  await until(async () => (await seen()).epoch === 2, 'the successor leads')
  const isFree = async (): Promise<boolean> => (await seen()).epoch === 2 && (await storage.get(next)) === undefined
  await until(
    async () => {
      await second.mint({ org: ORG, subject: 'someone' })
      return isFree()
    },
    'the name of the next entry is free again',
    CALL_MS,
  )

  old.signal('SIGCONT')
  await expect(signer.revoke({ token: other })).rejects.toBeInstanceOf(MacaroondError)
  expect(await old.endedWithin(READY_MS)).toMatchObject({ code: 5 })
  expect(old.log.join('\n')).toContain('archive_fenced')

  const { token: last } = await second.mint({ org: ORG, subject: 'carol' })
  await second.revoke({ token: last })
  const state = await seen()
  expect(state.epoch).toBe(2)
  expect((await verifyArchive(storage, [...state.files.values()], () => undefined)).bad).toEqual([])
}, 120_000)
