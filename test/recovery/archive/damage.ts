/** A cluster that is built once and stopped, and every way in which somebody or something may have changed what is left of it. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { DenialsWriter } from '../../../replica/denials/file.ts'
import { replicaConfig } from '../../../replica/config.ts'
import { Replica } from '../../../replica/node.ts'
import { encodeRow, encodeTimeline } from '../../../replica/revocations/journal-records.ts'
import { segmentKey } from '../../../shared/archive/layout.ts'
import { epoch, timeline, txid } from '../../../shared/ids.ts'
import { decodeSegment } from '../../../shared/ltx/decoder.ts'
import { encodeSegment } from '../../../shared/ltx/encoder.ts'
import { stringify } from 'smol-toml'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { createIdentityFile } from '../../../shared/channel/identity.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { PageChecksums } from '../../../shared/ltx/rolling-checksum.ts'
import { checkConfig } from '../../../shared/config/read-config.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { RevocationLog } from '../../../shared/database/revocation-log.ts'
import { silentLog } from '../../../shared/log.ts'
import { columnsOfRow } from '../../../shared/protocol/denials.ts'
import { openReader, openWritable } from '../../../shared/sqlite/open-database.ts'
import {
  Cluster,
  CLUSTER,
  identityOf,
  KEK,
  peerEntry,
  scratch,
  seedOf,
  until,
} from '../../integration/cluster/harness.ts'

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

/** Files of a stopped primary on that folder, whose replicas nobody can ask; the options that name them. */
export async function repairArgs({ primary, archive }: Left, key: string): Promise<readonly string[]> {
  const folder = scratch()
  const [config, profile, identity] = ['primary.toml', 'operator.toml', 'operator.key'].map((name) =>
    join(folder, name),
  )
  const { peerId } = await createIdentityFile(identity!, systemEntropy)
  const nobody = '127.0.0.1:1'
  const node = { data: primary, archive: { to: archive }, identity, listen: nobody, kek: { file: 'kek' } }
  writeFileSync(config!, stringify({ cluster: CLUSTER, ...node }))
  const asked = { authority_key: key, identity, primary: { address: nobody, peer_id: peerId } }
  writeFileSync(profile!, stringify({ cluster: CLUSTER, ...asked }))
  return ['repair', '--config', config!, '--profile', profile!]
}

/**
 * Starts the replica on its folder, whose primary is gone. A journal and denials with its revocations are written before, unless
 * it lost its journal. Resolves with the
 * profile of an operator who can ask it.
 */
export async function startReplica(
  { replica }: Left,
  key: string,
): Promise<{ readonly profile: string; readonly stop: () => Promise<void> }> {
  if (existsSync(join(replica, 'revocations.journal'))) await fillJournalAndDenials(replica)
  const nobody = { address: '127.0.0.1:1', peer_id: identityOf('primary').peerId }
  const own = { cluster: CLUSTER, region: 'fra', data: replica, identity: 'unused', kek: { env: 'UNUSED' } }
  const peers = [peerEntry('operator', { role: 'operator' })]
  const config = checkConfig('replica.toml', { ...own, listen: '127.0.0.1:0', primary: nobody, peers }, replicaConfig)
  const options = { config, identity: identityOf('fra'), kek: KEK, log: silentLog, reread: () => config }
  const running = await Replica.start(options)
  const folder = scratch()
  const [profile, identity] = [join(folder, 'operator.toml'), join(folder, 'operator.key')]
  await createIdentityFile(identity, { bytes: () => Buffer.from(seedOf('operator')), uniform: () => 0 })
  const replicas = [{ region: 'fra', address: running.address, peer_id: identityOf('fra').peerId }]
  writeFileSync(profile, stringify({ cluster: CLUSTER, identity, authority_key: key, primary: nobody, replicas }))
  return { profile, stop: () => running.stop() }
}

async function fillJournalAndDenials(replica: string): Promise<void> {
  const db = openReader(database(replica))
  const { timeline: line, epoch: own } = new MetaReader(db).read()
  const rows = new RevocationLog(db).after(0, 100)
  db.close()
  const journal = join(replica, 'revocations.journal')
  const space = Buffer.alloc(readFileSync(journal).length)
  Buffer.concat([encodeTimeline({ timeline: line, epoch: own }), ...rows.map((row) => encodeRow(row))]).copy(space)
  writeFileSync(journal, space)
  const denials = new DenialsWriter(join(replica, 'denials'))
  for (const row of rows) {
    if (row.kind === 'unknown') continue
    denials.add({
      timeline: timeline('dd'.repeat(16)),
      epoch: epoch(0),
      seq: row.seq,
      columns: columnsOfRow(row, 'acme'),
    })
  }
  await denials.finish()
}

/** Changes the newest revocation wherever the files of the database have it, in place. */
export function flipRevocation(folder: string): void {
  const aside = scratch()
  for (const suffix of ['', '-wal']) cpSync(database(folder) + suffix, join(aside, `macaroond.db${suffix}`))
  const db = openReader(database(aside))
  const key = db.prepare<[], Buffer>('SELECT key FROM revocations ORDER BY seq DESC LIMIT 1').pluck().get()
  db.close()
  if (key === undefined) throw new Error('there is no revocation')
  for (const path of [database(folder), `${database(folder)}-wal`]) {
    const bytes = readFileSync(path)
    for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at + 1)) flip(path, at + key.length - 1)
  }
}

const database = (folder: string): string => join(folder, 'macaroond.db')

/** As `sqlite3 FILE SQL` does it: the WAL is copied into the file and deleted at the end. */
export function sql(folder: string, statement: string): void {
  const db = openWritable(database(folder))
  db.exec(statement)
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.close()
}

/** The change stays in the WAL, as it does where the program that made it was killed. */
export function sqlInWal(folder: string, statement: string): void {
  const aside = scratch()
  const db = openWritable(database(folder))
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
  const path = join(folder, 'position')
  const records = readFileSync(path)
  const start = records.length - RECORD_BYTES
  records.writeBigUInt64BE(checksumOf(pagesOf(database(folder))), start + 12)
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

const WITHOUT_END = `DROP TABLE revocations;
  CREATE VIEW revocations AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
  SELECT i AS seq, 'token' AS kind, '' AS org, x'00' AS key, 0 AS at_ms, 0 AS expires_at, '' AS actor, '' AS reason FROM n`

/** One more transaction, which nobody committed: it goes on from the last, and its table of revocations has no end. */
export function plantView({ archive, replica }: Left): void {
  const before = pagesOf(database(replica))
  const aside = scratch()
  cpSync(database(replica), database(aside))
  sql(aside, WITHOUT_END)
  const after = pagesOf(database(aside))
  const { header } = decodeSegment(readFileSync(segmentsOf(archive).at(-1)!))
  const next = txid(header.maxTxid + 1)
  const sums = { preApply: checksumOf(before), postApply: checksumOf(after) }
  const fields = { ...header, ...sums, minTxid: next, maxTxid: next, commit: after.length }
  const changed = after.flatMap((data, at) => (before[at]?.equals(data) === true ? [] : [{ pgno: at + 1, data }]))
  writeFileSync(join(archive, segmentKey(0, fields)), encodeSegment(fields, changed))
}

function pagesOf(path: string): readonly Buffer[] {
  const bytes = readFileSync(path)
  return Array.from({ length: bytes.length / PAGE_BYTES }, (_, at) =>
    bytes.subarray(at * PAGE_BYTES, (at + 1) * PAGE_BYTES),
  )
}

function checksumOf(pages: readonly Buffer[]): PageChecksums['checksum'] {
  const checksums = new PageChecksums(PAGE_BYTES)
  for (const [at, page] of pages.entries()) checksums.set(at + 1, page)
  return checksums.checksum
}

/** Two appends of a revocation, and then bytes of the first one are others: the second says that they were on the disk. */
export function damageJournal(replica: string): void {
  const path = join(replica, 'revocations.journal')
  const bytes = readFileSync(path)
  const line = encodeTimeline({ timeline: timeline('ab'.repeat(16)), epoch: epoch(1) })
  const first = encodeRow({ kind: 'token', seq: 1, kid: '1'.repeat(16), nonce: '1'.repeat(32), expiresAt: 0 })
  const second = encodeRow(
    { kind: 'token', seq: 2, kid: '1'.repeat(16), nonce: '2'.repeat(32), expiresAt: 0 },
    line.length + first.length,
  )
  bytes.fill(0)
  Buffer.concat([line, first.fill(0xa5, 20, 40), second]).copy(bytes)
  writeFileSync(path, bytes)
}
