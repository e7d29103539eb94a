/** The archiver's jobs beside uploads: heartbeats and drills, and the deletions that each primary may make. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { proveArrival } from '../../../primary/archiver/files/heartbeat.ts'
import { uploadSnapshot } from '../../../primary/archiver/files/snapshot.ts'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { verifyArchive } from '../../../shared/archive/verify-archive.ts'
import { systemClock } from '../../../shared/clock.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { commandLine } from '../../integration/cli/command.ts'
import { Cluster, until } from '../../integration/cluster/harness.ts'
import { Authority } from './authority.ts'

const EVERY_SECOND = '* * * * * *'

test('a quiet primary proves hourly that a transaction arrives, and audits its restore drills', async () => {
  // A drill leaves a record: only between two of them is the primary quiet.
  const schedule = { heartbeat: EVERY_SECOND, drill: '*/4 * * * * *' }
  const archive = archiveConfig.parse({ upload_every_ms: 0, jitter_seconds: 0, schedule })
  const cluster = Cluster.create({ regions: [], primary: { archive, alone: true } })
  await cluster.startPrimary()
  const status = async (): Promise<Awaited<ReturnType<Cluster['primaryStatus']>>['archive']> =>
    (await cluster.primaryStatus()).archive
  const doneAtMs = async (job: string): Promise<number> =>
    (await status())?.jobs.find((one) => one.job === job)?.doneAtMs ?? 0
  await until(async () => (await doneAtMs('drill')) > 0, 'a drill succeeded', 30_000)
  const drilledMs = await doneAtMs('drill')
  await until(async () => (await doneAtMs('heartbeat')) > drilledMs + 2_500, 'a heartbeat arrived', 30_000)
  expect((await status())?.lastDrill).toMatchObject({ ok: true, error: null })
  const profile = await cluster.profile()
  const told = await commandLine(['status'], { profile })
  expect(told.stdout).toMatch(/archive \d behind, drilled .* ago/)
  await cluster.stopPrimary()
  const db = openReader(join(cluster.primaryFolder, 'macaroond.db'))
  const actions = db.prepare<[], string>('SELECT DISTINCT action FROM audit').pluck().all()
  const details = db.prepare<[], string>("SELECT detail FROM audit WHERE action = 'archive.drill'").pluck().all()
  db.close()
  expect(actions).toEqual(expect.arrayContaining(['archive.heartbeat', 'archive.drill']))
  expect(details.map((detail): unknown => JSON.parse(detail))[0]).toMatchObject({ ok: true, keyUnsealed: true })
}, 60_000)

test('a heartbeat finds that the last entry or the last transaction’s file was altered', async () => {
  const authority = await Authority.create()
  await authority.claim()
  authority.grow(1)
  await authority.upload()
  const storage = await DirectoryStorage.open(authority.archive)
  const { manifest } = authority
  await proveArrival({ storage, manifest })
  for (const key of [
    'ltx/0/0000000000000002-0000000000000002.ltx',
    `macaroond/manifest/${hex(manifest.state.seq)}.json`,
  ]) {
    const path = join(authority.archive, key)
    const bytes = readFileSync(path)
    writeFileSync(path, Buffer.concat([bytes.subarray(0, 120), Buffer.from('x'), bytes.subarray(121)]))
    await expect(proveArrival({ storage, manifest }), key).rejects.toMatchObject({ code: 'archive_damaged' })
    rmSync(path)
    await expect(proveArrival({ storage, manifest }), key).rejects.toMatchObject({ code: 'archive_damaged' })
    writeFileSync(path, bytes)
  }
  await proveArrival({ storage, manifest })
})

test('a snapshot of an archived state is the same file: a crash before its entry damages nothing', async () => {
  const authority = await Authority.create()
  await authority.claim()
  const storage = await DirectoryStorage.open(authority.archive)
  const { manifest, source } = authority
  const [file] = [...manifest.state.files.values()]
  expect(file).toMatchObject({ level: 9, maxTxid: 1 })
  const path = join(authority.folder, 'again.tmp')
  const common = { storage, manifest, source, path, signal: new AbortController().signal, timers: systemClock }
  // The log has no record of the first transaction. Its audit record says when it was.
  authority.nowMs += 60_000
  await uploadSnapshot(common)
  expect((await verifyArchive(storage, [file!], () => undefined)).bad).toEqual([])
  await storage.put(file!.key, Buffer.from('damaged'), 1)
  await uploadSnapshot(common)
  expect((await verifyArchive(storage, [file!], () => undefined)).bad).toEqual([])
})

test('a primary with a successor deletes nothing more, not even files that no manifest names', async () => {
  const authority = await Authority.create()
  await authority.claim()
  for (let number = 0; number < 4; number += 1) authority.grow(1)
  await authority.upload()
  const merged = 'ltx/1/0000000000000001-0000000000000005.ltx'
  const storage = await DirectoryStorage.open(authority.archive)
  await storage.put(merged, Buffer.from('of the next primary'), 1)
  // A crash left it before, so retention has something to delete.
  const left = 'ltx/0/0000000000000002-0000000000000003.ltx'
  await storage.put(left, Buffer.from('a leftover'), 1)
  await authority.followedByAnother(2)
  const everything = { windowMs: 0, keepMs: 0, filesMax: 0, bytesMax: 0 }
  await expect(authority.retain(everything)).rejects.toMatchObject({ code: 'archive_fenced' })
  for (const key of [merged, left]) expect(await storage.get(key)).toBeDefined()
})

function hex(seq: number): string {
  return seq.toString(16).padStart(16, '0')
}
