/**
 * Allows one process in a data folder, by an exclusive transaction on a separate database, `node.lock`. The kernel drops
 * SQLite's lock however the process ends, so an operator never has to delete a stale lock file.
 */
import { existsSync } from 'node:fs'
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
 * Locks a folder for a process that writes in it. The folder must exist. A lock without write permission is refused: SQLite
 * silently opens another user's file read-only, and an exclusive transaction then locks nothing. Throws already_running,
 * io_failed, schema_newer if only a newer version may run here, and repair_unfinished.
 */
export function lockFolder(folder: string): NodeLock {
  refuseUnknownRequired(folder)
  return lockExclusively(folder)
}

/** Like `lockFolder`, but also locks a folder whose repair was interrupted. Throws already_running, io_failed, schema_newer. */
export function lockForRepair(folder: string): NodeLock {
  refuseNewer(folder)
  return lockExclusively(folder)
}

function lockExclusively(folder: string): NodeLock {
  return lock(folder, {}, (connection) => {
    // With the journal in memory nothing is written, so a node can start on a full disk.
    connection.pragma('journal_mode = MEMORY')
    connection.exec('BEGIN EXCLUSIVE')
    connection.pragma('user_version = 0')
  })
}

/**
 * Locks a folder for a process that only copies from it. No node can start there while the lock is held, and nothing is
 * written. Throws already_running, io_failed.
 */
export function holdForCopy(folder: string): NodeLock {
  return lock(folder, { readonly: true }, (connection) => {
    connection.exec('BEGIN')
    connection.prepare('SELECT count(*) FROM sqlite_schema').get()
  })
}

/** True if a process holds the folder. Nothing is written, and the lock is held for no longer than the look. */
export function isFolderLocked(folder: string): boolean {
  if (!existsSync(join(folder, NAME))) return false
  try {
    holdForCopy(folder).release()
    return false
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'already_running') return true
    throw error
  }
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
      hint: 'stop that process first; two nodes never share a data folder',
    })
  }
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_READONLY')
}

function notWritable(path: string, cause: unknown): MacaroondError {
  return new MacaroondError('io_failed', `${path} cannot be locked: this user may not write it`, {
    hint: 'run the node as the user that owns its data folder, or give the folder to this user (`chown -R`)',
    cause,
  })
}
