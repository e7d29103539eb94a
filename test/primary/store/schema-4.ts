import { MIGRATE_4_TO_5 } from '../../../shared/database/schema.ts'
import type { Database } from '../../../shared/sqlite/open-database.ts'

/** Takes from a database what schema 5 added, so that it is as macaroond 0.1.0 wrote it. */
export function asSchema4(db: Database): void {
  for (const [, table] of MIGRATE_4_TO_5.matchAll(/CREATE TABLE (\w+)/g)) db.exec(`DROP TABLE ${table}`)
  for (const [, table, column] of MIGRATE_4_TO_5.matchAll(/ALTER TABLE (\w+) ADD COLUMN (\w+)/g)) {
    db.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`)
  }
  db.exec('UPDATE meta SET schema = 4')
}
