/**
 * One translation of what SQLite and the file system report into codes an operator can act on.
 * Result codes: https://sqlite.org/rescode.html; errno names: those of Node's `error.code`.
 */
import type { ErrorCode } from '../errors.ts'
import { MacaroondError } from '../errors.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly hint: string
}

const DISK_FULL: Meaning = {
  code: 'disk_full',
  hint: 'free space on this file system, nothing acknowledged was lost',
}
const CORRUPT: Meaning = {
  code: 'database_corrupt',
  hint: 'stop the node, keep the file for inspection, and restore from the archive or resync from the primary',
}
const BUSY: Meaning = {
  code: 'database_busy',
  hint: 'another process holds a lock on this database: end its transaction, nobody else may write here',
}
const PERMISSION: Meaning = {
  code: 'io_failed',
  hint: 'the database, its -wal, its -shm and their directory must be writable by this user',
}
const IO: Meaning = { code: 'io_failed', hint: 'check the disk and the kernel log' }
const CANNOT_OPEN: Meaning = { code: 'io_failed', hint: 'check that the path and its directory exist and are writable' }

/** Longest prefix first where one is the prefix of another: extended result codes start with their primary code. */
const BY_PREFIX: readonly (readonly [string, Meaning])[] = [
  ['SQLITE_FULL', DISK_FULL],
  // -shm could not be grown: SQLite reports a full disk this way, because it allocates the blocks before mapping them.
  ['SQLITE_IOERR_SHMSIZE', DISK_FULL],
  ['SQLITE_IOERR', IO],
  ['SQLITE_CORRUPT', CORRUPT],
  ['SQLITE_NOTADB', CORRUPT],
  ['SQLITE_BUSY', BUSY],
  ['SQLITE_LOCKED', BUSY],
  ['SQLITE_READONLY', PERMISSION],
  ['SQLITE_PERM', PERMISSION],
  ['SQLITE_CANTOPEN', CANNOT_OPEN],
  ['ENOSPC', DISK_FULL],
  ['EDQUOT', DISK_FULL],
  ['EACCES', PERMISSION],
  ['EPERM', PERMISSION],
  ['EROFS', PERMISSION],
  ['ENOENT', CANNOT_OPEN],
  ['ENOTDIR', CANNOT_OPEN],
  ['E', IO],
]

/** `doing` completes "failed while …". Errors that already carry a code pass through unchanged. */
export function storageError(error: unknown, doing: string): MacaroondError {
  if (error instanceof MacaroondError) return error
  const code = codeOf(error)
  const meaning = BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1]
  const message = `${code === '' ? 'storage failed' : code} while ${doing}`
  if (meaning === undefined) return new MacaroondError('internal', message, { cause: error })
  return new MacaroondError(meaning.code, message, { hint: meaning.hint, cause: error })
}

/** Translates what SQLite reports; anything else is not the storage's affair, and is passed on as it is. */
export function sqliteError(error: unknown, doing: string): unknown {
  return codeOf(error).startsWith('SQLITE_') ? storageError(error, doing) : error
}

/** Somebody else holds the lock we asked for. Not an error for whoever can wait. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY')
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}
