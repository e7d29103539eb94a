/** S10: a node that is ahead or diverged refuses and raises an alarm; a damaged copy is replaced; nothing is half applied. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { systemClock, withWallTime } from '../../../shared/clock.ts'
import { systemHost } from '../../../shared/service/host.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { Primary } from '../../../primary/node.ts'
import { parsePosition } from '../../../shared/position.ts'
import { silentLog } from '../../../shared/log.ts'
import { Cluster, closedFile, codeOf, identityOf, scratch, until } from './harness.ts'

async function started(): Promise<{ cluster: Cluster; signer: Signer }> {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await cluster.caughtUp()
  return { cluster, signer }
}

async function mintOneByOne(signer: Signer, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await signer.mint({ org: 'acme', subject: `token ${left}` })
}

async function expectIdentical(cluster: Cluster): Promise<void> {
  await cluster.caughtUp()
  await cluster.stop()
  expect(closedFile(cluster.replicaFolder()).equals(closedFile(cluster.primaryFolder))).toBe(true)
}

/** The primary's disk is put back to where it was before `count` transactions that the replica has. */
async function putBack(cluster: Cluster, signer: Signer, count: number): Promise<void> {
  const backup = join(scratch(), 'backup')
  await cluster.stopPrimary()
  cpSync(cluster.primaryFolder, backup, { recursive: true })
  await cluster.startPrimary()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  await mintOneByOne(signer, count)
  await cluster.caughtUp()
  // The proof is signed and written down a moment after the commit.
  const { txid } = parsePosition((await cluster.primaryStatus()).position)
  await until(() => signedTxid(cluster) >= txid, 'the replica has the signed position')
  await cluster.stopPrimary()
  rmSync(cluster.primaryFolder, { recursive: true })
  cpSync(backup, cluster.primaryFolder, { recursive: true })
}

function signedTxid(cluster: Cluster): number {
  const file = join(cluster.replicaFolder(), 'signed-position.json')
  if (!existsSync(file)) return 0
  const { position } = JSON.parse(readFileSync(file, 'utf8')) as { position: string }
  return Number.parseInt(position.split('.')[1] ?? '', 16)
}

function flipByte(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x40
  writeFileSync(path, bytes)
}

function newestLogFile(cluster: Cluster): string {
  const folder = join(cluster.primaryFolder, 'log')
  const names = readdirSync(folder).filter((name) => name.endsWith('.segments'))
  return join(folder, names.toSorted().at(-1) ?? '')
}

const LOG_HEADER_BYTES = 12

/** Where the records of a log file start. */
function recordStarts(bytes: Buffer): number[] {
  const starts: number[] = []
  for (let start = 0; start < bytes.length; start += LOG_HEADER_BYTES + bytes.readUInt32BE(start + 4))
    starts.push(start)
  return starts
}

test('a primary whose disk was put back is refused by its replica, and stops itself on the proof', async () => {
  const { cluster, signer } = await started()
  const verifier = await cluster.verifier()
  const token = await signer.mint({ org: 'acme', subject: 'x' })
  await putBack(cluster, signer, 5)
  const before = (await cluster.replicaStatus()).position
  const primary = await cluster.startPrimary()
  const failure = await primary.failed
  expect(failure).toMatchObject({ code: 'position_diverged' })
  expect(String(failure)).toContain('ahead of')
  expect(primary.writes).toBe('stopping')
  await until(async () => (await cluster.replicaStatus()).alarm !== null, 'the replica alarms')
  expect((await cluster.replicaStatus()).position).toBe(before)
  expect(await verifier.verify(token.token, { org: 'acme' })).toMatchObject({ ok: true })
})

test('`alone` does not overrule the proof', async () => {
  const { cluster, signer } = await started()
  await putBack(cluster, signer, 5)
  const primary = await cluster.startPrimary({ alone: true })
  expect(await primary.failed).toMatchObject({ code: 'position_diverged' })
})

test('a primary that took writes records the proof against it before it stops, despite its clock', async () => {
  let aheadMs = 0
  const clock = withWallTime(systemClock, () => systemClock.wallMs() + aheadMs)
  const cluster = await Cluster.start({ host: { ...systemHost, clock } })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await putBack(cluster, signer, 5)
  await cluster.stopReplica()
  const primary = await cluster.startPrimary({ alone: true })
  aheadMs = 3_600_000
  expect(primary.writes).toBe('clock in doubt')
  await cluster.startReplica()
  expect(await primary.failed).toMatchObject({ code: 'position_diverged' })
  const db = new Sqlite(join(cluster.primaryFolder, 'macaroond.db'), { readonly: true })
  const newest = db.prepare('SELECT action, at_ms, detail FROM audit ORDER BY seq DESC LIMIT 1').get()
  db.close()
  expect(newest).toMatchObject({
    action: 'primary.contradicted',
    detail: expect.stringContaining('ahead of') as string,
  })
  expect((newest as { at_ms: number }).at_ms).toBeLessThan(systemClock.wallMs() + 60_000)
})

test('an unproven claim to be ahead is refused and audited once, and stops nothing', async () => {
  const { cluster, signer } = await started()
  await putBack(cluster, signer, 5)
  await cluster.stopReplica()
  rmSync(join(cluster.replicaFolder(), 'signed-position.json'))
  const replicaFile = closedFile(cluster.replicaFolder())
  const primary = await cluster.startPrimary({ alone: true })
  await cluster.startReplica()
  await until(async () => (await cluster.replicaStatus()).alarm !== null, 'the replica alarms')
  const again = await cluster.signer()
  // Forked now: the primary goes past the replica's number with other content. It is still not followed.
  await mintOneByOne(again, 8)
  const proxy = await cluster.proxy()
  proxy.cutAll()
  await cluster.stopReplica()
  await cluster.startReplica()
  await until(
    async () => (await cluster.replicaStatus()).alarm?.includes('its database was different') === true,
    'it is forked',
  )
  expect(primary.writes).toBe('open')
  expect((await cluster.replicaStatus()).position).not.toBe(null)
  await cluster.stop()
  expect(closedFile(cluster.replicaFolder()).equals(replicaFile)).toBe(true)
  const db = new Sqlite(join(cluster.primaryFolder, 'macaroond.db'), { readonly: true })
  const audited = db.prepare("SELECT count(*) FROM audit WHERE action = 'replica.refused'").pluck().get()
  db.close()
  expect(audited).toBe(1)
})

test('a start reports a database that is older than its own log', async () => {
  const { cluster, signer } = await started()
  await cluster.stopPrimary()
  const old = closedFile(cluster.primaryFolder)
  await cluster.startPrimary()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  await mintOneByOne(signer, 3)
  await cluster.stopPrimary()
  writeFileSync(join(cluster.primaryFolder, 'macaroond.db'), old)
  expect(await codeOf(cluster.startPrimary())).toBe('position_diverged')
})

test('a replica whose file was damaged while it was stopped moves it aside and gets a fresh one', async () => {
  const { cluster, signer } = await started()
  await mintOneByOne(signer, 3)
  await cluster.caughtUp()
  await cluster.stopReplica()
  flipByte(join(cluster.replicaFolder(), 'macaroond.db'), 3 * 4096 + 4000)
  await cluster.startReplica()
  await cluster.caughtUp()
  expect(readdirSync(cluster.replicaFolder()).filter((name) => name.startsWith('damaged-'))).toHaveLength(1)
  await expectIdentical(cluster)
})

for (const [what, spoil] of [
  ['cut short', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 4096 * 2 + 100))],
  ['empty', (path: string) => writeFileSync(path, '')],
  ['not a database', (path: string) => writeFileSync(path, Buffer.alloc(8192, 7))],
] as const) {
  test(`a replica whose file is ${what} gets a fresh one`, async () => {
    const { cluster, signer } = await started()
    await cluster.stopReplica()
    spoil(join(cluster.replicaFolder(), 'macaroond.db'))
    await cluster.startReplica()
    await mintOneByOne(signer, 2)
    await expectIdentical(cluster)
  })
}

test('a replica without its position record trusts nothing and gets a fresh copy', async () => {
  const { cluster } = await started()
  await cluster.stopReplica()
  rmSync(join(cluster.replicaFolder(), 'position'))
  await cluster.startReplica()
  await expectIdentical(cluster)
})

test('another program’s write on a replica is found at the next transaction and replaced', async () => {
  const { cluster, signer } = await started()
  const token = await signer.mint({ org: 'acme', subject: 'x' })
  await signer.revoke({ token: token.token })
  await cluster.caughtUp()
  const verifier = await cluster.verifier()
  const db = new Sqlite(join(cluster.replicaFolder(), 'macaroond.db'))
  db.exec('DELETE FROM revocations')
  db.close()
  expect(await verifier.verify(token.token, { org: 'acme' })).toMatchObject({ reason: 'revoked' })
  await mintOneByOne(signer, 2)
  await cluster.caughtUp()
  expect(await verifier.verify(token.token, { org: 'acme' })).toMatchObject({ reason: 'revoked' })
  await expectIdentical(cluster)
})

test('a write of another program on the primary stops it', async () => {
  const { cluster } = await started()
  const db = new Sqlite(join(cluster.primaryFolder, 'macaroond.db'))
  db.exec('UPDATE meta SET revocation_seq = 7')
  db.close()
  expect(await cluster.primary.failed).toMatchObject({ code: 'foreign_write' })
  expect(await codeOf((await cluster.signer()).createOrg('later'))).toBe('closed')
})

test('a bit that flipped in the primary’s log leads to a snapshot, not to an endless retry', async () => {
  const { cluster, signer } = await started()
  await cluster.stopReplica()
  // More than what is kept in memory for replicas that are up to date.
  await mintOneByOne(signer, 100)
  const file = newestLogFile(cluster)
  const starts = recordStarts(readFileSync(file))
  flipByte(file, (starts[10] ?? 0) + LOG_HEADER_BYTES + 200)
  await cluster.startReplica()
  await expectIdentical(cluster)
  // It is no torn end either: the records behind it stay.
  await cluster.startPrimary()
  expect((await cluster.primaryStatus()).log).toMatchObject({ first: 2, last: starts.length + 1 })
})

test('a segment whose content contradicts its checksums is replaced by a snapshot', async () => {
  const { cluster, signer } = await started()
  await cluster.stopReplica()
  await mintOneByOne(signer, 100)
  const file = newestLogFile(cluster)
  const bytes = readFileSync(file)
  const start = recordStarts(bytes)[10] ?? 0
  const length = bytes.readUInt32BE(start + 4)
  const at = start + LOG_HEADER_BYTES
  bytes[at + 200] = (bytes[at + 200] ?? 0) ^ 1
  bytes.writeUInt32BE(crc32(bytes.subarray(at, at + length)), start + 8)
  writeFileSync(file, bytes)
  await cluster.startReplica()
  await expectIdentical(cluster)
})

test('a folder of another cluster, of a newer schema or under another KEK has its own error code', async () => {
  const { cluster } = await started()
  await cluster.stop()
  const other = { cluster: 'another' }
  expect(await codeOf(cluster.startPrimary(other))).toBe('wrong_cluster')
  expect(await codeOf(cluster.startReplica('fra', other))).toBe('wrong_cluster')
})

test('a database of a newer schema is refused by its code, on both nodes', async () => {
  const { cluster } = await started()
  await cluster.stop()
  for (const folder of [cluster.primaryFolder, cluster.replicaFolder()]) {
    const db = new Sqlite(join(folder, 'macaroond.db'))
    db.exec('UPDATE meta SET schema = 99')
    db.close()
  }
  expect(await codeOf(cluster.startPrimary())).toBe('schema_newer')
  expect(await codeOf(cluster.startReplica())).toBe('schema_newer')
})

test('a file of a newer version is ignored, unless its name says that it is required', async () => {
  const { cluster } = await started()
  await cluster.stop()
  const folders = [cluster.primaryFolder, cluster.replicaFolder()]
  for (const folder of folders) writeFileSync(join(folder, 'required-made-up'), '')
  expect(await codeOf(cluster.startPrimary())).toBe('schema_newer')
  expect(await codeOf(cluster.startReplica())).toBe('schema_newer')
  for (const folder of folders) renameSync(join(folder, 'required-made-up'), join(folder, 'made-up'))
  await cluster.startPrimary()
  await cluster.startReplica()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
})

test('another KEK has its own error code', async () => {
  const { cluster } = await started()
  await cluster.stopPrimary()
  const config = cluster.primaryConfig()
  const kek = kekFromHex('cd'.repeat(32))
  const options = { config, identity: identityOf('primary'), kek, log: silentLog, reread: () => config }
  expect(await codeOf(Primary.start(options))).toBe('kek_wrong')
})

test('a second node on the same folder reports that the first one runs', async () => {
  const { cluster } = await started()
  const config = { ...cluster.primaryConfig(), listen: '127.0.0.1:0' }
  const options = { config, identity: identityOf('primary'), kek: kekFromHex('ab'.repeat(32)), log: silentLog }
  expect(await codeOf(Primary.start({ ...options, reread: () => config }))).toBe('already_running')
})

test('a port in use has its own error code', async () => {
  const { cluster } = await started()
  expect(await codeOf(cluster.startReplica('sin', { listen: cluster.replica().address }))).toBe('port_in_use')
})
