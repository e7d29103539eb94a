/**
 * The one place that opens SQLite connections. It counts the open connections of each database, because POSIX locks belong to
 * the process and the file: closing any descriptor of a database, or of its -shm, drops every lock that SQLite holds on it
 * (https://sqlite.org/howtocorrupt.html section 2.2). Connections of other threads are not counted, so a database must be
 * opened in one thread only.
 */
import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { MacaroondError } from '../errors.ts'
import { PAGE_BYTES, READER_BUSY_TIMEOUT_MS } from '../limits.ts'
import { isBusy, storageError } from '../files/storage-errors.ts'

export type Database = Sqlite.Database

/** First release without the WAL-reset bug that corrupts databases with several connections (fixed in 3.51.3). */
const SQLITE_VERSION_MIN = [3, 51, 3] as const

/** One scan of the whole database would fill the driver's default of 16 MB a connection; the kernel caches the pages anyway. */
const PAGE_CACHE_KIBIBYTES = 2_048

const opened = new Map<string, Set<Database>>()
let versionChecked = false

/**
 * Opens the primary's only writing connection, and creates the database if it is missing. Every commit is synced, and SQLite
 * never checkpoints by itself. If this throws, the connection stays open until the process ends: the last writer to close
 * copies the WAL into the database file and deletes it, and the log may not have all of it yet.
 */
export function openWritable(path: string): Database {
  const connection = open(path, { timeout: 0 })
  try {
    configure(connection, () => {
      // Only an empty file takes a page size. On any other file this changes nothing, and `requireLayout` refuses the wrong
      // size.
      connection.pragma(`page_size = ${PAGE_BYTES}`)
      connection.pragma('journal_mode = WAL')
      requireLayout(connection, path)
      neverCheckpointByItself(connection)
      connection.pragma('foreign_keys = ON')
      connection.pragma('trusted_schema = OFF')
      requireWritable(connection)
    })
    return connection
  } catch (error) {
    throw storageError(error, `opening ${connection.name}`)
  }
}

/** Opens a database that exists only in this connection. It has no WAL, so no segment can be captured from it. */
export function openInMemory(): Database {
  const connection = new Sqlite(':memory:')
  connection.pragma('foreign_keys = ON')
  connection.pragma('trusted_schema = OFF')
  return connection
}

/** Opens a replica's connection for the write lock and for checkpoints. It never changes a page through SQL. */
export function openApplier(path: string): Database {
  return connect(path, { timeout: 0, fileMustExist: true }, (connection) => {
    requireLayout(connection, path)
    neverCheckpointByItself(connection)
    requireWritable(connection)
  })
}

/** Opens a read-only connection for queries. */
export function openReader(path: string): Database {
  return connect(path, { readonly: true, fileMustExist: true, timeout: READER_BUSY_TIMEOUT_MS }, (connection) => {
    requireLayout(connection, path)
  })
}

/** Opens a read-only connection that will hold a read transaction, so that no program resets the WAL. */
export function openGuard(path: string): Database {
  return connect(path, { readonly: true, fileMustExist: true, timeout: 0 }, (connection) => {
    requireLayout(connection, path)
  })
}

/**
 * Returns the absolute path with symbolic links resolved, as SQLite resolves them before it names the -wal and the -shm.
 * Throws config_invalid for URIs and `:memory:`: this build would create a file named `file:x?mode=memory`.
 */
export function databasePath(path: string): string {
  if (path === '' || path.startsWith('file:') || path.startsWith(':memory:')) {
    throw new MacaroondError('config_invalid', `not a path of a database file: '${path.slice(0, 80)}'`, {
      hint: 'give a plain path, not a URI',
    })
  }
  try {
    return realpathSync(path)
  } catch {
    return join(directoryPath(dirname(path)), basename(path))
  }
}

/** Counts the connections of this thread to the database. `path` is a result of `databasePath`. */
export function openConnections(path: string): number {
  const connections = opened.get(path)
  if (connections === undefined) return 0
  for (const connection of connections) if (!connection.open) connections.delete(connection)
  if (connections.size === 0) opened.delete(path)
  return connections.size
}

export function requireSqliteVersion(version: string): void {
  const parts = version.split('.').map(Number)
  const differing = SQLITE_VERSION_MIN.findIndex((part, index) => parts[index] !== part)
  if (differing === -1 || (parts[differing] ?? 0) > (SQLITE_VERSION_MIN[differing] ?? 0)) return
  throw new MacaroondError('sqlite_version', `SQLite ${version} can corrupt a database when its WAL is reset`, {
    hint: `install a better-sqlite3 with SQLite ${SQLITE_VERSION_MIN.join('.')} or later`,
  })
}

function connect(path: string, options: Sqlite.Options, setUp: (connection: Database) => void): Database {
  const connection = open(path, options)
  try {
    configure(connection, () => setUp(connection))
    return connection
  } catch (error) {
    connection.close()
    throw storageError(error, `opening ${connection.name}`)
  }
}

/** Opens and counts a connection. SQLite reads nothing from the file before the first statement. */
function open(path: string, options: Sqlite.Options): Database {
  const real = databasePath(path)
  checkVersionOnce()
  try {
    const connection = new Sqlite(real, options)
    remember(real, connection)
    return connection
  } catch (error) {
    throw storageError(error, `opening ${real}`)
  }
}

function configure(connection: Database, setUp: () => void): void {
  connection.pragma(`cache_size = -${PAGE_CACHE_KIBIBYTES}`)
  setUp()
}

function checkVersionOnce(): void {
  if (versionChecked) return
  const connection = new Sqlite(':memory:')
  requireSqliteVersion(String(connection.prepare('SELECT sqlite_version()').pluck().get()))
  connection.close()
  versionChecked = true
}

function remember(path: string, connection: Database): void {
  const connections = opened.get(path) ?? new Set()
  connections.add(connection)
  opened.set(path, connections)
}

function requireLayout(connection: Database, path: string): void {
  const mode: unknown = connection.pragma('journal_mode', { simple: true })
  const pageBytes: unknown = connection.pragma('page_size', { simple: true })
  if (mode === 'wal' && pageBytes === PAGE_BYTES) return
  throw new MacaroondError(
    'database_corrupt',
    `${path} has journal mode ${String(mode)}, pages of ${String(pageBytes)}`,
    {
      hint: `this node works on WAL databases with pages of ${PAGE_BYTES} bytes: is this a database of macaroond?`,
    },
  )
}

/**
 * Throws if the connection cannot write. If SQLite cannot open a file for writing, for example because no descriptor is free,
 * it silently opens it read-only. BEGIN IMMEDIATE is then only a BEGIN, the first error comes with the first write, and the
 * connection stays like that. So this makes a change and rolls it back before anything reaches the WAL. A lock of another
 * program is no failure.
 */
export function requireWritable(connection: Database): void {
  try {
    connection.exec('BEGIN IMMEDIATE')
  } catch (error) {
    if (isBusy(error)) return
    throw error
  }
  try {
    connection.pragma('user_version = 0')
  } finally {
    connection.exec('ROLLBACK')
  }
}

function neverCheckpointByItself(connection: Database): void {
  connection.pragma('wal_autocheckpoint = 0')
  // This build defaults WAL databases to NORMAL, which loses the last commits on power loss.
  connection.pragma('synchronous = FULL')
}

function directoryPath(directory: string): string {
  try {
    return realpathSync(directory)
  } catch (error) {
    throw storageError(error, `looking for the directory ${directory}`)
  }
}
