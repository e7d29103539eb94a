/** A cluster that is built once and stopped, and every way in which somebody or something may have changed what is left of it. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { PageChecksums } from '../../../shared/ltx/rolling-checksum.ts'
import { openReader, openWriter } from '../../../shared/sqlite/connection.ts'
import { Cluster, scratch, until } from '../../integration/cluster/harness.ts'

const PAGE_BYTES = 4096
const RECORD_BYTES = 40

/** Folders of a cluster whose nodes have ended. */
export interface Left {
  readonly primary: string
  readonly replica: string
  readonly archive: string
}

export interface Fixture {
  /** As everything was at the end, and as it was halfway. */
  readonly now: Left
  readonly before: Left
  /** Another cluster’s, with the same names. */
  readonly other: Left
  /** The authority's, in hex. */
  readonly key: string
  readonly revoked: number
}

export async function buildFixture(): Promise<Fixture> {
  const [own, other] = [await built(), await built()]
  return { now: own.now, before: own.before, other: other.now, key: own.key, revoked: own.revoked }
}

async function built(): Promise<Omit<Fixture, 'other'>> {
  const cluster = await Cluster.start({ primary: { archive: archiveConfig.parse({ upload_every_ms: 0 }) } })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const revoke = async (): Promise<void> => {
    const { token } = await signer.mint({ org: 'acme', subject: 'x' })
    await signer.revoke({ token })
  }
  for (let count = 0; count < 3; count += 1) await revoke()
  await settled(cluster)
  const key = (await cluster.primaryStatus()).authorityKey
  await cluster.stopReplica()
  await cluster.stopPrimary()
  const before = kept(cluster)
  await cluster.startPrimary()
  await cluster.startReplica()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  const again = await cluster.signer()
  for (let count = 0; count < 3; count += 1) {
    const { token } = await again.mint({ org: 'acme', subject: 'y' })
    await again.revoke({ token })
  }
  await settled(cluster)
  await cluster.stopReplica()
  await cluster.stopPrimary()
  return { now: kept(cluster), before, key, revoked: 6 }
}

/** All is archived, the replica is there, and it has a signature for that. */
async function settled(cluster: Cluster): Promise<void> {
  await until(async () => (await cluster.primaryStatus()).archive?.lag === 0, 'everything is archived')
  await cluster.caughtUp()
  await until(async () => ((await cluster.replicaStatus()).freshness.ageMs ?? Infinity) < 200, 'a lease of now')
}

function kept(cluster: Cluster): Left {
  const to = scratch()
  const names = {
    primary: cluster.primaryFolder,
    replica: cluster.replicaFolder(),
    archive: `${cluster.primaryFolder}-archive`,
  }
  for (const [name, from] of Object.entries(names)) cpSync(from, join(to, name), { recursive: true })
  return { primary: join(to, 'primary'), replica: join(to, 'replica'), archive: join(to, 'archive') }
}

/** A copy that may be harmed. */
export function copyOf({ primary, replica, archive }: Left): Left {
  const to = scratch()
  const copy = { primary: join(to, 'primary'), replica: join(to, 'replica'), archive: join(to, 'archive') }
  cpSync(primary, copy.primary, { recursive: true })
  cpSync(replica, copy.replica, { recursive: true })
  cpSync(archive, copy.archive, { recursive: true })
  return copy
}

const database = (folder: string): string => join(folder, 'macaroond.db')

/** As `sqlite3 FILE SQL` does it: the WAL is copied into the file and deleted at the end. */
export function sql(folder: string, statement: string): void {
  const db = openWriter(database(folder))
  db.exec(statement)
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.close()
}

/** The change stays in the WAL, as it does where the program that made it was killed. */
export function sqlInWal(folder: string, statement: string): void {
  const aside = scratch()
  const db = openWriter(database(folder))
  db.exec(statement)
  for (const suffix of ['', '-wal']) cpSync(database(folder) + suffix, join(aside, `macaroond.db${suffix}`))
  db.close()
  for (const suffix of ['', '-wal']) cpSync(join(aside, `macaroond.db${suffix}`), database(folder) + suffix)
}

export function zeroPageOf(folder: string, table: string): void {
  const db = openReader(database(folder))
  const root = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(table) ?? 1
  db.close()
  const bytes = readFileSync(database(folder))
  bytes.fill(0, (root - 1) * PAGE_BYTES, root * PAGE_BYTES)
  writeFileSync(database(folder), bytes)
}

export function cutBytes(path: string, bytes: number): void {
  truncateSync(path, Math.max(0, readFileSync(path).length - bytes))
}

export function cutDatabase(folder: string): void {
  cutBytes(database(folder), 2 * PAGE_BYTES)
}

export function put(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
}

export function putDatabase(from: string, to: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(database(to) + suffix, { force: true })
  for (const suffix of ['', '-wal'])
    if (existsSync(database(from) + suffix)) cpSync(database(from) + suffix, database(to) + suffix)
}

export function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  const index = at < 0 ? bytes.length + at : at
  bytes[index] = (bytes[index] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

/** The last record of a position file gets another checksum, and the sum over the record is made to hold again. */
export function editPosition(folder: string): void {
  const path = join(folder, 'position')
  const bytes = readFileSync(path)
  const start = bytes.length - RECORD_BYTES
  bytes[start + 19] = (bytes[start + 19] ?? 0) ^ 1
  bytes.writeUInt32BE(crc32(bytes.subarray(start, start + RECORD_BYTES - 4)), start + RECORD_BYTES - 4)
  writeFileSync(path, bytes)
}

/** Changes pages, and gives the newest record the checksum that they have then: what somebody does who knows the format. */
export function sqlAndRecord(folder: string, statement: string): void {
  sql(folder, statement)
  const checksums = new PageChecksums(PAGE_BYTES)
  const bytes = readFileSync(database(folder))
  for (let pgno = 1; pgno * PAGE_BYTES <= bytes.length; pgno += 1)
    checksums.set(pgno, bytes.subarray((pgno - 1) * PAGE_BYTES, pgno * PAGE_BYTES))
  const path = join(folder, 'position')
  const records = readFileSync(path)
  const start = records.length - RECORD_BYTES
  records.writeBigUInt64BE(checksums.checksum, start + 12)
  records.writeUInt32BE(crc32(records.subarray(start, start + RECORD_BYTES - 4)), start + RECORD_BYTES - 4)
  writeFileSync(path, records)
}

export function newestLog(folder: string): string {
  const names = readdirSync(join(folder, 'log')).filter((name) => name.endsWith('.segments'))
  return join(folder, 'log', names.toSorted().at(-1) ?? '')
}

/** Entries of the manifest, the oldest first. */
export function entriesOf(archive: string): readonly string[] {
  const folder = join(archive, 'macaroond/manifest')
  return readdirSync(folder)
    .toSorted()
    .map((name) => join(folder, name))
}

export function segmentsOf(archive: string): readonly string[] {
  const folder = join(archive, 'ltx/0')
  return readdirSync(folder)
    .toSorted()
    .map((name) => join(folder, name))
}

export function swap(a: string, b: string): void {
  renameSync(a, `${a}.swap`)
  renameSync(b, a)
  renameSync(`${a}.swap`, b)
}

/** Bytes where there was nothing yet. */
export function writeAt(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes.fill(0xa5, offset, offset + 20)
  writeFileSync(path, bytes)
}
