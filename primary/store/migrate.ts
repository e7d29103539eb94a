/**
 * Migrates a database of an older schema, in one audited transaction of its own. A migration is a write, so it waits until the
 * primary's position is confirmed: the disk may be an older copy.
 */
import { MetaReader } from '../../shared/database/meta.ts'
import { MIGRATE_4_TO_5, SCHEMA_VERSION } from '../../shared/database/schema.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { nextAuditRow } from '../authority/audit.ts'
import { RowWriter } from './row-writer.ts'

/** True if the database has an older schema than this version writes. */
export function needsMigration(db: Database): boolean {
  return new MetaReader(db).read().schema < SCHEMA_VERSION
}

/** The caller begins and commits the transaction, and ships its segment. */
export function migrate(db: Database, atMs: number): void {
  const { schema, cluster, auditSeq, auditHead } = new MetaReader(db).read()
  db.exec(MIGRATE_4_TO_5)
  const audit = nextAuditRow(
    { seq: auditSeq, hash: auditHead },
    {
      atMs,
      actor: 'primary',
      action: 'database.migrate',
      org: '',
      target: cluster,
      detail: { from: schema, to: SCHEMA_VERSION },
    },
  )
  new RowWriter(db).write({ table: 'audit', row: audit })
  const update = db.prepare('UPDATE meta SET schema = ?, txid = txid + 1, audit_seq = ?, audit_head = ?')
  update.run(SCHEMA_VERSION, audit.seq, audit.hash)
}

/**
 * Rows of `may_hold_older` are leases that an earlier version granted across restarts. This version does not count them, so it
 * would acknowledge a revocation while such a peer may still accept the token. Throws schema_newer.
 */
export function refuseRestartLeases(db: Database, file: string): void {
  if (needsMigration(db)) return
  const outstanding = db.prepare<[], number>('SELECT count(*) FROM may_hold_older').pluck().get() ?? 0
  if (outstanding === 0) return
  throw new MacaroondError(
    'schema_newer',
    `${file} has ${outstanding} restart leases outstanding, and this macaroond grants none`,
    { hint: 'start the macaroond that wrote it, wait until it says that no restart lease is outstanding, and stop it' },
  )
}
