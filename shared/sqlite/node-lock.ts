/**
 * One process a data folder: an exclusive transaction on a database of its own, `node.lock`. SQLite's lock goes with the
 * process, however it ends, so no stale lock file ever has to be deleted by hand.
 */
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { MacaroondError } from '../errors.ts'
import { refuseNewer, refuseUnknownRequired } from '../files/required-files.ts'
import { isBusy, storageError } from '../files/storage-errors.ts'

export interface NodeLock {
  readonly release: () => void
}

const NAME = 'node.lock'

/**
 * For a process that works in the folder, which must exist. A lock that cannot be taken for writing is none: SQLite opens a
 * file of another user read-only and says nothing, and an exclusive transaction then locks nothing. Throws already_running,
 * io_failed, schema_newer where only a newer version may run, and repair_unfinished.
 */
export function lockFolder(folder: string): NodeLock {
  refuseUnknownRequired(folder)
  return lockExclusively(folder)
}

/** The same, also where a repair was interrupted. Throws already_running, io_failed, schema_newer. */
export function lockForRepair(folder: string): NodeLock {
  refuseNewer(folder)
  return lockExclusively(folder)
}

function lockExclusively(folder: string): NodeLock {
  return lock(folder, {}, (connection) => {
    // So that nothing is ever written: a node starts on a full disk, too.
    connection.pragma('journal_mode = MEMORY')
    connection.exec('BEGIN EXCLUSIVE')
    connection.pragma('user_version = 0')
  })
}

/**
 * For a process that only copies what is in the folder: no node works there while it holds the lock, and nothing is written.
 * Throws already_running, io_failed.
 */
export function holdForCopy(folder: string): NodeLock {
  return lock(folder, { readonly: true }, (connection) => {
    connection.exec('BEGIN')
    connection.prepare('SELECT count(*) FROM sqlite_schema').get()
  })
}

function lock(folder: string, options: Sqlite.Options, take: (connection: Sqlite.Database) => void): NodeLock {
  const path = join(folder, NAME)
  let connection: Sqlite.Database | undefined
  try {
    const opened = new Sqlite(path, { ...options, timeout: 0 })
    connection = opened
    take(opened)
    return { release: () => opened.close() }
  } catch (error) {
    connection?.close()
    if (isReadOnly(error)) throw notWritable(path, error)
    if (!isBusy(error)) throw storageError(error, `locking ${path}`)
    throw new MacaroondError('already_running', `another process uses the data folder ${folder}`, {
      hint: 'stop that one first; two nodes never share a data folder',
    })
  }
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_READONLY')
}

function notWritable(path: string, cause: unknown): MacaroondError {
  return new MacaroondError('io_failed', `${path} cannot be locked: this user may not write it`, {
    hint: 'run the node as the user that owns its data folder, or give that folder to this one (`chown -R`)',
    cause,
  })
}
