import { readFileSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import { rewriteWal } from '../../../shared/sqlite/rewrite-wal.ts'
import { scratchDirectory } from './scratch.ts'

function database(): { readonly path: string; readonly wal: string; readonly writer: ReturnType<typeof openWritable> } {
  const path = join(scratchDirectory(), 'macaroond.db')
  const writer = openWritable(path)
  onTestFinished(() => void writer.close())
  writer.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)')
  return { path, wal: `${path}-wal`, writer }
}

test('a WAL that is written again is the same for every reader, and goes on from there', () => {
  const { path, wal, writer } = database()
  const before = readFileSync(wal)
  utimesSync(wal, 1, 1)
  rewriteWal(writer)
  expect(readFileSync(wal).equals(before)).toBe(true)
  expect(statSync(wal).mtimeMs).toBeGreaterThan(1_000)
  writer.exec('INSERT INTO t VALUES (2)')
  const reader = openWritable(path)
  onTestFinished(() => void reader.close())
  expect(reader.prepare('SELECT a FROM t').pluck().all()).toEqual([1, 2])
})

test('while another program writes, its WAL is left alone, and the result says so', () => {
  const { path, wal, writer } = database()
  const other = openWritable(path)
  onTestFinished(() => void other.close())
  other.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (3)')
  utimesSync(wal, 1, 1)
  expect(() => rewriteWal(writer, 10)).toThrow(/SQLITE_BUSY while locking/)
  expect(statSync(wal).mtimeMs).toBe(1_000)
  other.exec('COMMIT')
  rewriteWal(writer)
  expect(writer.prepare('SELECT a FROM t').pluck().all()).toEqual([1, 3])
})
