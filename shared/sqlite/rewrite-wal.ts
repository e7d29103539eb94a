/** What is done with a WAL at start, before anything is acknowledged on top of it. */
import type { Database } from './open-database.ts'
import { writeAgain } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'

/** For another program that happens to write: it is waited for, and then told. */
const BUSY_MS = 2_000

/**
 * Writes a database's WAL once more and syncs it (`writeAgain` says why). Under SQLite's write lock, without which another
 * program could append to it, or begin it anew, while its old bytes are written over that.
 */
export function rewriteWal(connection: Database, busyMs: number = BUSY_MS): void {
  connection.pragma(`busy_timeout = ${busyMs}`)
  try {
    connection.exec('BEGIN IMMEDIATE')
  } catch (error) {
    throw storageError(error, `locking ${connection.name}`)
  } finally {
    connection.pragma('busy_timeout = 0')
  }
  try {
    writeAgain(`${connection.name}-wal`)
  } finally {
    // Nothing was changed through SQLite; a ROLLBACK would make an applier's connection take its pages for newer than they are.
    connection.exec('COMMIT')
  }
}
