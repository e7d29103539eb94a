/**
 * Begins a new epoch in a restored database, in one transaction: it writes a new epoch and timeline, jumps past every
 * transaction number that any place knows, writes what must outlive the restore, and adds an audit record of it.
 */
import { nextAuditRow } from '../../primary/authority/audit.ts'
import { RowWriter } from '../../primary/store/row-writer.ts'
import type { Clock, Entropy } from '../../shared/clock.ts'
import { deleteArchiveChains } from '../../shared/database/archive-chains.ts'
import { newTimeline } from '../../shared/database/epochs.ts'
import { MetaReader, type Meta } from '../../shared/database/meta.ts'
import { insertRevocationColumns } from '../../shared/database/revocation-columns.ts'
import { type Epoch, epoch as asEpoch, type Txid, txid as asTxid } from '../../shared/ids.ts'
import { RESTORE_TXID_JUMP } from '../../shared/limits.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { CarryOver, PendingRevocations } from './carry-over.ts'
import {
  carryEpochs,
  carryForgotten,
  carryStates,
  carryUnsigned,
  raiseSchema,
  removeThirdParties,
  writeUnsigned,
} from './carry-rows.ts'
import type { Evidence } from './evidence.ts'
import { keepOwed } from './keep-owed.ts'
import type { Highest } from './source.ts'

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
  /** Number of cut-offs that the primary appends at its start: they were requested while its clock was in doubt. */
  readonly owed: number
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
  for (const columns of carried?.revocations ?? []) insertRevocationColumns(db, (seq += 1), columns)
  if (carried !== undefined) {
    for (const database of databases) carryStates(db, database)
    carryUnsigned(db, databases)
  }
  const owed = keepOwed(db, meta, carried === undefined ? [] : evidence)
  const removed = carried === undefined ? [] : removeThirdParties(db, meta, evidence)
  for (const { epochs } of databases) carryEpochs(db, epochs)
  carryForgotten(db, databases)
  deleteArchiveChains(db, meta.schema)
  writeUnsigned(db, waiting, options.entropy)
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
    cut_offs_owed: owed,
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
  return { ...begun, owed }
}

/** Records that this epoch began without revocations, so that all denials of replicas wait for an operator. */
function rememberWithoutRevocations(db: Database, { epoch }: Pick<NewEpoch, 'epoch'>): void {
  raiseSchema(db)
  db.prepare('UPDATE meta SET without_revocations_epoch = ?').run(epoch)
}

/**
 * Chooses the new epoch and its first transaction, which is one jump after the last known one. A claimed epoch with no known
 * transaction began with a jump too, and adds another one here. So the numbers of two epochs do not overlap.
 */
function chooseEpoch(meta: Meta, { evidence, highest, entropy }: NewEpochOptions): Omit<NewEpoch, 'owed'> {
  const positions = evidence.flatMap(({ position }) => position ?? [])
  const epoch = Math.max(meta.epoch, highest.epoch, ...positions.map((position) => position.epoch)) + 1
  const last = Math.max(meta.txid, highest.txid, ...positions.map((position) => position.txid))
  const seen = Math.max(meta.epoch, highest.written, ...positions.map((position) => position.epoch))
  const txid = asTxid(last + RESTORE_TXID_JUMP * (epoch - seen))
  return { epoch: asEpoch(epoch), timeline: newTimeline(entropy), txid }
}
