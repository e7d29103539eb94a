/** A database of schema 4, as 0.1.0 wrote it, becomes one of schema 5 in one small transaction. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { firstBrokenAuditRow, AUDIT_GENESIS, type AuditRow } from '../../../shared/database/audit-chain.ts'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { loadState } from '../../../primary/store/load-state.ts'
import { migrate, needsMigration, refuseRestartLeases } from '../../../primary/store/migrate.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { checkMeta, MetaReader } from '../../../shared/database/meta.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { openWritable, type Database } from '../../../shared/sqlite/open-database.ts'
import { asSchema4 } from './schema-4.ts'

const KEK = kekFromHex('ab'.repeat(32))

function database(): Database {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-migrate-'))
  const db = openWritable(join(folder, 'macaroond.db'))
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  createAuthorityDatabase(db, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
  return db
}

const columnsOf = (db: Database): unknown =>
  db
    .prepare(
      `SELECT m.name AS "table", c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c
       WHERE m.type = 'table' ORDER BY m.name, c.cid`,
    )
    .all()

test('a migrated database has the tables and columns of a new one', () => {
  const made = database()
  const old = database()
  asSchema4(old)
  expect(columnsOf(old)).not.toEqual(columnsOf(made))
  old.transaction(() => migrate(old, 1))()
  expect(columnsOf(old)).toEqual(columnsOf(made))
})

test('a database of schema 4 is read as it is, and migrated once', () => {
  const db = database()
  asSchema4(db)
  const reader = new MetaReader(db)
  const before = reader.read()
  expect(before).toMatchObject({ schema: 4, restartLeaseMsMax: 0, durability: undefined, degraded: false })
  checkMeta(before, 'test', 'it')
  expect(loadState(db, [KEK], systemEntropy).epoch).toBe(1)
  refuseRestartLeases(db, 'it')
  expect(needsMigration(db)).toBe(true)
  db.transaction(() => migrate(db, 1))()
  expect(needsMigration(db)).toBe(false)
  expect(reader.read()).toMatchObject({ schema: 5, txid: before.txid + 1, auditSeq: before.auditSeq + 1 })
})

test('the migration is one record of the audit chain', () => {
  const db = database()
  asSchema4(db)
  db.transaction(() => migrate(db, 7))()
  const rows = db
    .prepare<[], AuditRow>(
      'SELECT seq, at_ms AS atMs, actor, action, org, target, detail, hash FROM audit ORDER BY seq',
    )
    .all()
  expect(rows.at(-1)).toMatchObject({ action: 'database.migrate', atMs: 7, detail: '{"from":4,"to":5}' })
  expect(firstBrokenAuditRow({ seq: 0, hash: AUDIT_GENESIS }, rows)).toBeUndefined()
  expect(new MetaReader(db).read().auditHead).toEqual(rows.at(-1)?.hash)
})

test('a primary refuses restart leases that it could not honour', () => {
  const db = database()
  db.prepare("INSERT INTO may_hold_older VALUES ('peer', 'boot', 30000, 'restart')").run()
  expect(() => refuseRestartLeases(db, 'it')).toThrow(expect.objectContaining({ code: 'schema_newer' }))
})
