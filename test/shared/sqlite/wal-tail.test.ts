/** The part of the reserve that stands behind the last frame of SQLite's WAL. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import { WalTail } from '../../../shared/sqlite/wal-tail.ts'

/** A tail with a reserve of `bytes`, behind the three frames or fewer of a small database. */
function tail(bytes: number): { readonly tail: WalTail; readonly size: () => number } {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-wal-tail-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'x.db')
  const db = openWritable(path)
  onTestFinished(() => void db.close())
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a)')
  return { tail: new WalTail(path, bytes, systemEntropy), size: () => statSync(`${path}-wal`).size }
}

test('the WAL is extended until the reserve is whole', () => {
  const { tail: kept, size } = tail(100_000)
  kept.reserve(3)
  expect(kept.bytesLeft(3)).toBe(100_000)
  expect(size()).toBeGreaterThan(100_000)
})

test('without a reserve nothing is extended', () => {
  const { tail: kept, size } = tail(0)
  const before = size()
  kept.reserve(1_000)
  expect(kept.bytesLeft(1_000)).toBe(0)
  expect(size()).toBe(before)
})
