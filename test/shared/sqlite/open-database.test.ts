import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import {
  databasePath,
  openApplier,
  openConnections,
  openReader,
  openWritable,
  requireSqliteVersion,
  requireWritable,
} from '../../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../../shared/sqlite/database-file.ts'
import { storageError } from '../../../shared/files/storage-errors.ts'
import { codeOf } from '../code-of.ts'
import { createPrimary, scratchDirectory } from './scratch.ts'

test('the writer syncs every commit, never checkpoints by itself and enforces foreign keys', () => {
  const path = join(scratchDirectory(), 'a.db')
  const writer = openWritable(path)
  const setting = (name: string): unknown => writer.pragma(name, { simple: true })
  expect(setting('journal_mode')).toBe('wal')
  expect(setting('synchronous')).toBe(2)
  expect(setting('wal_autocheckpoint')).toBe(0)
  expect(setting('foreign_keys')).toBe(1)
  expect(setting('page_size')).toBe(4096)
  expect(setting('busy_timeout')).toBe(0)
  writer.close()
})

test('the applier syncs what it checkpoints and never checkpoints by itself', () => {
  const path = join(scratchDirectory(), 'a.db')
  openWritable(path).close()
  const applier = openApplier(path)
  expect(applier.pragma('synchronous', { simple: true })).toBe(2)
  expect(applier.pragma('wal_autocheckpoint', { simple: true })).toBe(0)
  applier.close()
})

test('a connection that SQLite opened read-only is reported before use, without a trace', () => {
  const { path, close } = createPrimary()
  const wal = readFileSync(`${path}-wal`)
  const readOnly = new Sqlite(path, { readonly: true })
  expect(() => requireWritable(readOnly)).toThrow(/readonly/)
  readOnly.close()
  const applier = openApplier(path)
  expect(applier.inTransaction).toBe(false)
  expect(readFileSync(`${path}-wal`).equals(wal)).toBe(true)
  applier.close()
  close()
})

test('a reader cannot write', () => {
  const primary = createPrimary()
  const reader = openReader(primary.path)
  expect(() => reader.exec('DELETE FROM rows')).toThrow(/readonly/)
  reader.close()
  primary.close()
})

test.each(['3.51.2', '3.40.1', '3.7.0', '2.99.99', ''])(
  'SQLite %s is refused: it can corrupt a WAL database',
  (version) => {
    expect(codeOf(() => requireSqliteVersion(version))).toBe('sqlite_version')
  },
)

test.each(['3.51.3', '3.51.10', '3.52.0', '4.0.0'])('SQLite %s is accepted', (version) => {
  expect(codeOf(() => requireSqliteVersion(version))).toBe('no error')
})

test.each(['file:x.db?mode=memory', ':memory:', ''])(
  'the path "%s" is refused, which SQLite would not take for a file',
  (path) => {
    expect(codeOf(() => openWritable(path))).toBe('config_invalid')
  },
)

test('a symbolic link leads to the names that SQLite builds -wal and -shm from', () => {
  const directory = scratchDirectory()
  mkdirSync(join(directory, 'real'))
  openWritable(join(directory, 'real', 'a.db')).close()
  symlinkSync(join(directory, 'real', 'a.db'), join(directory, 'link.db'))
  expect(databasePath(join(directory, 'link.db'))).toBe(databasePath(join(directory, 'real', 'a.db')))
})

test('connections are counted while they are open', () => {
  const path = databasePath(join(scratchDirectory(), 'a.db'))
  const writer = openWritable(path)
  const reader = openReader(path)
  expect(openConnections(path)).toBe(2)
  reader.close()
  writer.close()
  expect(openConnections(path)).toBe(0)
})

test('the descriptor of a database opens before and closes after every connection of the process', () => {
  const path = join(scratchDirectory(), 'a.db')
  const file = DatabaseFile.open(path, { create: true })
  const writer = openWritable(path)
  expect(() => file.close()).toThrow(/closed before its descriptor/)
  expect(() => DatabaseFile.open(path)).toThrow(/before its first connection/)
  writer.close()
  file.close()
})

test('a page that the file does not reach is zero', () => {
  const file = DatabaseFile.open(join(scratchDirectory(), 'a.db'), { create: true })
  const page = Buffer.alloc(4096, 1)
  file.readPage(7, page)
  expect(page.equals(Buffer.alloc(4096))).toBe(true)
  file.close()
})

/** Ends without closing: as in a crash, the -wal stays. */
const CRASHED = `
import Sqlite from 'better-sqlite3'
const db = new Sqlite(process.argv[1])
db.exec('PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)')
process.exit(0)`

test('a writer that cannot be opened leaves the -wal untouched: the log may lack its content', () => {
  const path = join(scratchDirectory(), 'a.db')
  execFileSync(process.execPath, ['--input-type=module', '-e', CRASHED, path], { cwd: import.meta.dirname })
  const before = readFileSync(`${path}-wal`)
  expect(before.length).toBeGreaterThan(0)
  expect(codeOf(() => openWritable(path))).toBe('database_corrupt')
  expect(readFileSync(`${path}-wal`).equals(before)).toBe(true)
})

test('a file that is no database is reported as corrupt', () => {
  const path = join(scratchDirectory(), 'a.db')
  writeFileSync(path, Buffer.alloc(8192, 'no database'))
  expect(codeOf(() => openReader(path))).toBe('database_corrupt')
  expect(openConnections(databasePath(path))).toBe(0)
  expect(codeOf(() => openWritable(path))).toBe('database_corrupt')
})

test('a database with other pages is refused', () => {
  const path = join(scratchDirectory(), 'a.db')
  const writer = openWritable(path)
  writer.pragma('journal_mode = DELETE')
  writer.exec('PRAGMA page_size = 8192; VACUUM')
  writer.close()
  expect(codeOf(() => openWritable(path))).toBe('database_corrupt')
})

test('a replica in rollback mode is refused instead of changed', () => {
  const path = join(scratchDirectory(), 'a.db')
  const writer = openWritable(path)
  writer.exec('CREATE TABLE a (b)')
  writer.pragma('journal_mode = DELETE')
  writer.close()
  expect(codeOf(() => openApplier(path))).toBe('database_corrupt')
})

test('a missing directory is reported with a hint', () => {
  expect(() => openWritable('/nowhere/at/all/a.db')).toThrow(/looking for the directory/)
  expect(codeOf(() => openReader(join(scratchDirectory(), 'absent.db')))).toBe('io_failed')
})

test('a full database reports disk_full, and the lock of another writer database_busy', () => {
  const path = join(scratchDirectory(), 'a.db')
  const writer = openWritable(path)
  writer.exec('CREATE TABLE a (b)')
  const other = openWritable(path)
  other.exec('BEGIN IMMEDIATE')
  const code = (work: () => unknown): string =>
    codeOf(() => {
      try {
        work()
      } catch (error) {
        throw storageError(error, 'writing')
      }
    })
  expect(code(() => writer.exec('INSERT INTO a VALUES (1)'))).toBe('database_busy')
  other.exec('COMMIT')
  writer.pragma('max_page_count = 2')
  expect(code(() => writer.exec('INSERT INTO a VALUES (zeroblob(50000))'))).toBe('disk_full')
  other.close()
  writer.close()
})
