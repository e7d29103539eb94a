/**
 * Translates the errors of SQLite and the file system into codes and hints that an operator can act on.
 * Sources: https://sqlite.org/rescode.html for SQLite's result codes, Node's `error.code` for errno names.
 */
import { REPAIR_HINT } from '../repair-hint.ts'
import type { ErrorCode } from '../errors.ts'
import { MacaroondError } from '../errors.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly hint: string
}

const DISK_FULL: Meaning = {
  code: 'disk_full',
  hint: 'free space or inodes (`df -h`, `df -i`) on this file system; nothing acknowledged was lost',
}
const CORRUPT: Meaning = {
  code: 'database_corrupt',
  hint: `stop the node. On a primary, ${REPAIR_HINT}; on a replica, move its data folder away, and it takes a new copy`,
}
const BUSY: Meaning = {
  code: 'database_busy',
  hint: 'another process holds a lock on this database: end its transaction; only the node may write here',
}
const PERMISSION: Meaning = {
  code: 'io_failed',
  hint: 'the database, its -wal, its -shm and their directory must be writable by this user',
}
const IO: Meaning = { code: 'io_failed', hint: 'check the disk and the kernel log' }
/** Also for an fsync that failed on a full disk: for any reason, the kernel may mark pages clean that it could not write. */
const SYNC: Meaning = {
  code: 'sync_failed',
  hint: 'check the disk, its free space and inodes (`df -i`) and the kernel log, then start the node again: it has kept everything that it acknowledged',
}
const DESCRIPTORS: Meaning = {
  code: 'io_failed',
  hint: 'this user, or this machine, has too many files open: raise the limit (`ulimit -n`, LimitNOFILE)',
}
const CANNOT_OPEN: Meaning = { code: 'io_failed', hint: 'check that the path and its directory exist and are writable' }

/** The first match wins, so a longer prefix precedes a shorter one. Extended result codes start with their primary code. */
const BY_PREFIX: readonly (readonly [string, Meaning])[] = [
  ['SQLITE_FULL', DISK_FULL],
  // SQLite allocates the blocks of -shm before it maps them, and reports a full disk with this code.
  ['SQLITE_IOERR_SHMSIZE', DISK_FULL],
  ['SQLITE_IOERR_FSYNC', SYNC],
  ['SQLITE_IOERR_DIR_FSYNC', SYNC],
  ['SQLITE_IOERR', IO],
  ['SQLITE_CORRUPT', CORRUPT],
  ['SQLITE_NOTADB', CORRUPT],
  ['SQLITE_BUSY', BUSY],
  ['SQLITE_LOCKED', BUSY],
  ['SQLITE_READONLY', PERMISSION],
  ['SQLITE_PERM', PERMISSION],
  ['SQLITE_CANTOPEN', CANNOT_OPEN],
  ['EMFILE', DESCRIPTORS],
  ['ENFILE', DESCRIPTORS],
  ['ENOSPC', DISK_FULL],
  ['EDQUOT', DISK_FULL],
  ['EACCES', PERMISSION],
  ['EPERM', PERMISSION],
  ['EROFS', PERMISSION],
  ['ENOENT', CANNOT_OPEN],
  ['ENOTDIR', CANNOT_OPEN],
  ['E', IO],
]

/** `doing` completes "ENOSPC while …". An error that already carries our code is returned unchanged. */
export function storageError(error: unknown, doing: string): MacaroondError {
  if (error instanceof MacaroondError) return error
  const code = codeOf(error)
  const meaning = BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1]
  const message = messageOf(code, doing)
  if (meaning === undefined) return new MacaroondError('internal', message, { cause: error })
  return new MacaroondError(meaning.code, message, { hint: meaning.hint, cause: error })
}

/**
 * The error of a failed fsync. The process that owns the file must stop, and must not sync again: the kernel reports the
 * failure once, and the next fsync may succeed without the bytes that the failed one should have written.
 */
export function syncError(error: unknown, path: string): MacaroondError {
  const { code, hint } = SYNC
  return new MacaroondError(code, messageOf(codeOf(error), `syncing ${path}`), { hint, cause: error })
}

/** Translates an error of SQLite. Returns any other error unchanged. */
export function sqliteError(error: unknown, doing: string): unknown {
  return codeOf(error).startsWith('SQLITE_') ? storageError(error, doing) : error
}

/** True if another connection holds the lock. A caller that can wait may try again. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY')
}

function messageOf(code: string, doing: string): string {
  return `${code === '' ? 'storage failed' : code} while ${doing}`
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}
