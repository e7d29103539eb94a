/**
 * One translation of what SQLite and the file system report into codes an operator can act on.
 * Result codes: https://sqlite.org/rescode.html; errno names: those of Node's `error.code`.
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
  hint: `stop the node. Of a primary, ${REPAIR_HINT}; of a replica, move its data folder away: it takes a new copy`,
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
/** A full disk as well: whatever the reason, the kernel may call the bytes clean that it could not write. */
const SYNC: Meaning = {
  code: 'sync_failed',
  hint: 'check the disk, its free space and inodes (`df -i`) and the kernel log, then start the node again: what it acknowledged is there',
}
const DESCRIPTORS: Meaning = {
  code: 'io_failed',
  hint: 'this user, or this machine, has too many files open: raise the limit (`ulimit -n`, LimitNOFILE)',
}
const CANNOT_OPEN: Meaning = { code: 'io_failed', hint: 'check that the path and its directory exist and are writable' }

/** Longest prefix first where one is the prefix of another: extended result codes start with their primary code. */
const BY_PREFIX: readonly (readonly [string, Meaning])[] = [
  ['SQLITE_FULL', DISK_FULL],
  // -shm could not be grown: SQLite reports a full disk this way, because it allocates the blocks before mapping them.
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

/** `doing` completes "failed while …". Errors that already carry a code pass through unchanged. */
export function storageError(error: unknown, doing: string): MacaroondError {
  if (error instanceof MacaroondError) return error
  const code = codeOf(error)
  const meaning = BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1]
  const message = messageOf(code, doing)
  if (meaning === undefined) return new MacaroondError('internal', message, { cause: error })
  return new MacaroondError(meaning.code, message, { hint: meaning.hint, cause: error })
}

/**
 * Of an fsync that failed: whoever keeps the file must end, and never sync it again as if nothing had been. The kernel tells
 * it once; the next fsync may succeed without the bytes of the failed one.
 */
export function syncError(error: unknown, path: string): MacaroondError {
  const { code, hint } = SYNC
  return new MacaroondError(code, messageOf(codeOf(error), `syncing ${path}`), { hint, cause: error })
}

/** Translates what SQLite reports; anything else is not the storage's affair, and is passed on as it is. */
export function sqliteError(error: unknown, doing: string): unknown {
  return codeOf(error).startsWith('SQLITE_') ? storageError(error, doing) : error
}

/** Somebody else holds the lock we asked for. Not an error for whoever can wait. */
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
