/**
 * Writes and syncs a WAL again at start, before anything is acknowledged on top of it: after an fsync that failed, the page
 * cache may show bytes that the disk does not have.
 */
import type { Database } from './open-database.ts'
import { rewriteAndSync } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'

/** Longest wait for another program that holds the write lock; after that the start fails. */
const BUSY_MS = 2_000

/**
 * Writes a database's WAL again and syncs it; `writeAgain` says why. It holds SQLite's write lock: otherwise another program
 * could append to the WAL, or start it over, and the old bytes would overwrite the new ones.
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
    rewriteAndSync(`${connection.name}-wal`)
  } finally {
    // Not ROLLBACK: it would make an applier's connection take the pages in its cache for newer than they are.
    connection.exec('COMMIT')
  }
}
