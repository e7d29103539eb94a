/**
 * Begins a new epoch in a restored database, in one transaction: it writes a new epoch and timeline, jumps past every
 * transaction number that any place knows, writes what must outlive the restore, and adds an audit record of it.
 */
import { nextAuditRow } from '../../primary/authority/audit.ts'
import { dueAsRevocations } from '../../primary/store/due-cut-offs.ts'
import { RowWriter } from '../../primary/store/row-writer.ts'
import type { Clock, Entropy } from '../../shared/clock.ts'
import { deleteArchiveChains } from '../../shared/database/archive-chains.ts'
import { MetaReader, type Meta } from '../../shared/database/meta.ts'
import { MIGRATE_4_TO_5, SCHEMA_VERSION } from '../../shared/database/schema.ts'
import { insertRevocationColumns, type RevocationColumns } from '../../shared/database/revocation-columns.ts'
import {
  type Epoch,
  epoch as asEpoch,
  type Timeline,
  timeline as asTimeline,
  type Txid,
  txid as asTxid,
} from '../../shared/ids.ts'
import { RESTORE_TXID_JUMP } from '../../shared/limits.ts'
import { insertForgotten } from '../../shared/database/forgotten.ts'
import { insertUnsigned } from '../../shared/database/unsigned.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { CarryOver, PendingRevocations } from './carry-over.ts'
import type { Highest } from './source.ts'
import { compareEpochTxid, type EpochTxid } from './witness.ts'
import { type DatabaseEvidence, type Evidence, revocationName } from './evidence.ts'

/** The action of the audit record that a restore writes. */
export const RESTORED = 'database.restore'

/** All that goes into the new epoch. */
export interface NewEpochOptions {
  readonly evidence: readonly Evidence[]
  /** The highest epoch and transaction that the archive knows. */
  readonly highest: Highest
  /** Undefined if the operator gave `--without-revocations`. */
  readonly carried: CarryOver | undefined
  /** Revocations from places that are not believed. */
  readonly waiting: readonly PendingRevocations[]
  readonly clock: Pick<Clock, 'wallMs'>
  readonly entropy: Entropy
}

export interface NewEpoch {
  readonly epoch: Epoch
  readonly timeline: string
  readonly txid: Txid
}

/** Runs the whole change as one transaction, so that an interrupted restore has no half of it. */
export function beginEpoch(db: Database, options: NewEpochOptions): NewEpoch {
  const run = db.transaction(() => write(db, options))
  return run.immediate()
}

function write(db: Database, options: NewEpochOptions): NewEpoch {
  const { evidence, highest, carried, waiting, clock } = options
  const meta = new MetaReader(db).read()
  const begun = chooseEpoch(meta, options)
  if (carried === undefined) rememberWithoutRevocations(db, begun)
  const databases = evidence.flatMap(({ database }) => database ?? [])
  let seq = meta.revocationSeq
  const revocations = [...(carried?.revocations ?? []), ...takeDue(db, meta, carried)]
  for (const columns of revocations) insertRevocationColumns(db, (seq += 1), columns)
  if (carried !== undefined) for (const database of databases) carryStates(db, database)
  const removed = carried === undefined ? [] : removeThirdParties(db, meta, evidence)
  for (const { epochs } of databases) carryEpochs(db, epochs)
  carryForgotten(db, databases)
  deleteArchiveChains(db, meta.schema)
  writeUnsigned(db, options)
  db.prepare('INSERT INTO epochs (epoch, timeline, base_txid) VALUES (?, ?, ?)').run(
    begun.epoch,
    begun.timeline,
    begun.txid,
  )
  // The longest chain that the restore abandons. Its head stays provable through this record.
  const abandoned = databases.map(({ audit }) => audit).toSorted((a, b) => b.seq - a.seq)[0]
  const detail = {
    epoch: begun.epoch,
    timeline: begun.timeline,
    restored: meta.txid,
    abandoned_txid: Math.max(highest.txid, meta.txid),
    abandoned_audit_seq: abandoned?.seq ?? meta.auditSeq,
    abandoned_audit_head: Buffer.from(abandoned?.head ?? meta.auditHead).toString('hex'),
    revocations_carried: carried?.revocations.length ?? 0,
    without_revocations: carried === undefined,
    third_parties_removed: removed.join(' '),
    unsigned_revocations: waiting.reduce((sum, { revocations }) => sum + revocations.length, 0),
  }
  const entry = {
    atMs: clock.wallMs(),
    actor: 'restore',
    action: RESTORED,
    org: '',
    target: meta.cluster,
    detail,
  }
  const audit = nextAuditRow({ seq: meta.auditSeq, hash: meta.auditHead }, entry)
  new RowWriter(db).write({ table: 'audit', row: audit })
  const issueClockMs = Math.max(meta.issueClockMs, ...evidence.map((one) => one.issueClockMs))
  const leaseMsMax = Math.max(meta.leaseMsMax, ...evidence.map((one) => one.leaseMsMax))
  db.prepare(
    `UPDATE meta SET txid = ?, epoch = ?, timeline = ?, issue_clock_ms = ?, key_generation = key_generation + 1,
      revocation_seq = ?, audit_seq = ?, audit_head = ?, lease_ms_max = ?`,
  ).run([begun.txid, begun.epoch, begun.timeline, issueClockMs, seq, audit.seq, audit.hash, leaseMsMax])
  return begun
}

/** Cut-offs that the restored database has recorded as due and no other place has. They are written now and no longer due. */
function takeDue(db: Database, { schema }: Meta, carried: CarryOver | undefined): readonly RevocationColumns[] {
  const due = dueAsRevocations(db, schema)
  if (due.length > 0) db.exec('DELETE FROM due_cut_offs')
  const known = new Set(carried?.revocations.map(revocationName))
  return due.filter((columns) => !known.has(revocationName(columns)))
}

/** Revocations that an operator gave up stay given up: a replica that connects later must learn of it too. */
function carryForgotten(db: Database, databases: readonly DatabaseEvidence[]): void {
  const all = databases.flatMap(({ forgotten }) => forgotten)
  if (all.length === 0) return
  migrate(db)
  for (const one of all) insertForgotten(db, one)
}

/** Records that this epoch began without revocations, so that all denials of replicas wait for an operator. */
function rememberWithoutRevocations(db: Database, { epoch }: NewEpoch): void {
  migrate(db)
  db.prepare('UPDATE meta SET without_revocations_epoch = ?').run(epoch)
}

/**
 * Chooses the new epoch and its first transaction, which is one jump after the last known one. A claimed epoch with no known
 * transaction began with a jump too, and adds another one here. So the numbers of two epochs do not overlap.
 */
function chooseEpoch(meta: Meta, { evidence, highest, entropy }: NewEpochOptions): NewEpoch {
  const positions = evidence.flatMap(({ position }) => position ?? [])
  const epoch = Math.max(meta.epoch, highest.epoch, ...positions.map((position) => position.epoch)) + 1
  const last = Math.max(meta.txid, highest.txid, ...positions.map((position) => position.txid))
  const seen = Math.max(meta.epoch, highest.written, ...positions.map((position) => position.epoch))
  const txid = asTxid(last + RESTORE_TXID_JUMP * (epoch - seen))
  return { epoch: asEpoch(epoch), timeline: newTimeline(entropy), txid }
}

/**
 * Writes the revocations that wait for an operator; they have no effect until they are adopted. Each place gets a timeline of
 * its own, because `forget` selects by timeline and number: forged rows could carry the numbers of revocations that replicas
 * enforce. A database of schema 4 has no table for them, so it is migrated here and not by its first start.
 */
function writeUnsigned(db: Database, { waiting, entropy }: NewEpochOptions): void {
  if (waiting.length === 0) return
  migrate(db)
  for (const { revocations } of waiting) {
    const timeline = newTimeline(entropy)
    for (const one of revocations) insertUnsigned(db, { ...one, timeline })
  }
}

function newTimeline(entropy: Entropy): Timeline {
  return asTimeline(entropy.bytes(16).toString('hex'))
}

/** Raises a database of schema 4, for tables that only schema 5 has. */
function migrate(db: Database): void {
  if (new MetaReader(db).read().schema >= SCHEMA_VERSION) return
  db.exec(MIGRATE_4_TO_5)
  db.prepare('UPDATE meta SET schema = ?').run(SCHEMA_VERSION)
}

/**
 * Removes the third parties that were removed after the restored time, because their tickets must not be discharged again.
 * Returns their names. The audit of the newest state that was read decides: a state may also lack a third party because its
 * history never had it.
 */
function removeThirdParties(db: Database, meta: Meta, evidence: readonly Evidence[]): readonly string[] {
  const newest = newestDatabase(evidence)
  if (newest === undefined || compareEpochTxid(newest.position, meta) <= 0) return []
  const { thirdParties } = newest.database
  const known = new Set(thirdParties.keys.map((key) => key.toString('hex')))
  const own = db.prepare<[], { name: string; key: Buffer }>('SELECT name, public_key AS key FROM third_parties').all()
  const removed = own
    .filter(({ name, key }) => !known.has(key.toString('hex')) && thirdParties.removed.includes(name))
    .map(({ name }) => name)
  for (const name of removed) db.prepare('DELETE FROM third_parties WHERE name = ?').run(name)
  return removed
}

function newestDatabase(
  evidence: readonly Evidence[],
): { readonly position: EpochTxid; readonly database: DatabaseEvidence } | undefined {
  const all = evidence.flatMap(({ position, database }) =>
    position === undefined || database === undefined ? [] : { position, database },
  )
  return all.toSorted((a, b) => compareEpochTxid(b.position, a.position))[0]
}

/** Retires the keys and disables the orgs that were retired or disabled after the restored time. */
function carryStates(db: Database, { retiredKeys, disabledOrgs, keys }: DatabaseEvidence): void {
  for (const name of disabledOrgs) db.prepare("UPDATE orgs SET state = 'disabled' WHERE name = ?").run(name)
  for (const kid of retiredKeys) db.prepare("UPDATE root_keys SET state = 'retired' WHERE kid = ?").run(kid)
  const keyless = db.prepare<[], string>(
    `SELECT name FROM orgs WHERE state = 'active'
      AND NOT EXISTS (SELECT 1 FROM root_keys WHERE org = orgs.name AND state = 'active')`,
  )
  for (const org of keyless.pluck().all()) {
    // The org's only active key was retired in favour of a newer one, which the org needs now.
    for (const key of keys.filter((row) => row['org'] === org)) insertKey(db, key)
  }
}

/** Columns are taken as they are found, so that a key of an older schema keeps its form. */
function insertKey(db: Database, row: Readonly<Record<string, string | number | Buffer>>): void {
  const names = Object.keys(row)
  const places = names.map(() => '?').join(', ')
  db.prepare(`INSERT OR IGNORE INTO root_keys (${names.join(', ')}) VALUES (${places})`).run(...Object.values(row))
}

/** Writes all known epochs, also later ones than the restored state, so that a replica that followed one is recognised. */
function carryEpochs(db: Database, epochs: DatabaseEvidence['epochs']): void {
  const insert = db.prepare('INSERT OR IGNORE INTO epochs (epoch, timeline, base_txid) VALUES (?, ?, ?)')
  for (const { epoch, timeline, base_txid: base } of epochs) insert.run(epoch, timeline, base)
}
