import type { Connection } from '../../../shared/sqlite/connection.ts'

const ADDED = {
  meta: ['restart_lease_ms_max', 'durability', 'degraded', 'without_revocations_epoch'],
  epochs: ['base_seq', 'parent'],
}
const ADDED_TABLES = [
  'may_hold_older',
  'configured_replicas',
  'adoptions',
  'forgotten',
  'due_cut_offs',
  'archive_chains',
  'unsigned_revocations',
]

/** Takes from a database what schema 5 added, so that it is as macaroond 0.1.0 wrote it. */
export function asSchema4(db: Connection): void {
  for (const table of ADDED_TABLES) db.exec(`DROP TABLE ${table}`)
  for (const [table, columns] of Object.entries(ADDED)) {
    for (const column of columns) db.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`)
  }
  db.exec('UPDATE meta SET schema = 4')
}
