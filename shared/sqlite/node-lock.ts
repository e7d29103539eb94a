/**
 * One process a data folder: an exclusive transaction on a database of its own, `node.lock`. SQLite's lock goes with the
 * process, however it ends, so no stale lock file ever has to be deleted by hand.
 */
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { MacaroondError } from '../errors.ts'
import { refuseUnknownRequired } from '../files/required-files.ts'
import { isBusy, storageError } from './storage-errors.ts'

export interface NodeLock {
  readonly release: () => void
}

/** Throws already_running, and schema_newer where only a newer version may run. The folder must exist. */
export function lockFolder(folder: string): NodeLock {
  refuseUnknownRequired(folder)
  const path = join(folder, 'node.lock')
  try {
    const connection = new Sqlite(path, { timeout: 0 })
    connection.exec('BEGIN EXCLUSIVE')
    return { release: () => connection.close() }
  } catch (error) {
    if (!isBusy(error)) throw storageError(error, `locking ${path}`)
    throw new MacaroondError('already_running', `another process uses the data folder ${folder}`, {
      hint: 'stop that one first; two nodes never share a data folder',
    })
  }
}
