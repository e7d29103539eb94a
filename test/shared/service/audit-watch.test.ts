/** The watch over the audit chain of a database: what it remembers, and what it finds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { nextAuditRow } from '../../../primary/authority/audit.ts'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { AUDIT_SLICE_ROWS, auditProblem } from '../../../shared/database/audit-chain.ts'
import { silentLog } from '../../../shared/log.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { AlarmBoard } from '../../../shared/service/alarm-board.ts'
import { AuditWatch } from '../../../shared/service/audit-watch.ts'
import { type Database, openReader, openWritable } from '../../../shared/sqlite/open-database.ts'

const KEK = kekFromHex('ab'.repeat(32))

/** A database with a long chain, and a watch over it. */
function watched(mayLag: boolean = false): { db: Database; watch: AuditWatch; board: AlarmBoard; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-audit-'))
  const db = openWritable(join(folder, 'macaroond.db'))
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  createAuthorityDatabase(db, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
  lengthen(db, 2 * AUDIT_SLICE_ROWS)
  const board = new AlarmBoard(systemClock, silentLog)
  const path = join(folder, 'audit-checked.json')
  return {
    db,
    path,
    board,
    watch: new AuditWatch({ path, db: () => db, mayLag, timers: systemClock, alarms: board, log: silentLog }),
  }
}

function lengthen(db: Database, records: number): void {
  const writer = new RowWriter(db)
  const { seq, hash } = db
    .prepare<[], { seq: number; hash: Buffer }>('SELECT audit_seq AS seq, audit_head AS hash FROM meta')
    .get()!
  let head: { readonly seq: number; readonly hash: Uint8Array } = { seq, hash }
  db.exec('BEGIN IMMEDIATE')
  for (let count = 0; count < records; count += 1) {
    const row = nextAuditRow(head, { atMs: count, actor: 'a', action: 'b', org: '', target: '', detail: { count } })
    writer.write({ table: 'audit', row })
    head = row
  }
  db.prepare('UPDATE meta SET audit_seq = ?, audit_head = ?').run(head.seq, head.hash)
  db.exec('COMMIT')
}

/** Deletes the records after this one, and all that says that they existed. */
function cutAfter(db: Database, seq: number): void {
  db.prepare('DELETE FROM audit WHERE seq > ?').run(seq)
  db.prepare('UPDATE meta SET audit_seq = ?, audit_head = (SELECT hash FROM audit WHERE seq = ?)').run(seq, seq)
}

test('a check goes on from the last record; only a whole one sees what lies before it', async () => {
  const { db, watch, board } = watched()
  const { signal } = new AbortController()
  await watch.sinceLast(signal)
  expect(board.list).toEqual([])
  db.exec("UPDATE audit SET detail = '{}' WHERE seq = 3")
  lengthen(db, 3)
  await watch.sinceLast(signal)
  expect(board.list).toEqual([])
  await watch.whole(signal)
  expect(board.list[0]?.message).toContain('record 3 does not follow')
})

test('a chain that was recomputed from some record on is found by the record checked before', async () => {
  const { db, watch, board, path } = watched()
  const { signal } = new AbortController()
  await watch.sinceLast(signal)
  cutAfter(db, 5)
  lengthen(db, 2 * AUDIT_SLICE_ROWS + 10)
  expect(auditProblem(db)).toBeUndefined()
  await watch.sinceLast(signal)
  expect(board.list[0]?.message).toContain('is not the one that was checked before')
  writeFileSync(path, 'damaged')
  await watch.sinceLast(signal)
  expect(board.list).toEqual([])
})

test('a checked end that was cut off with all that names it is found, and stays found', async () => {
  const { db, watch, board, path } = watched()
  const { signal } = new AbortController()
  await watch.sinceLast(signal)
  const checked = readFileSync(path, 'utf8')
  cutAfter(db, 5)
  expect(auditProblem(db)).toBeUndefined()
  for (const check of [watch.sinceLast(signal), watch.whole(signal)]) {
    await check
    expect(board.list[0]?.message).toContain('is not the one that was checked before')
  }
  expect(readFileSync(path, 'utf8')).toBe(checked)
})

test('older pages are no alarm, and are compared once they reach the record checked before', async () => {
  const { db, watch, board, path } = watched(true)
  const { signal } = new AbortController()
  await watch.sinceLast(signal)
  const checked = readFileSync(path, 'utf8')
  cutAfter(db, 5)
  await watch.sinceLast(signal)
  expect(board.list).toEqual([])
  expect(readFileSync(path, 'utf8')).toBe(checked)
  lengthen(db, 2 * AUDIT_SLICE_ROWS + 10)
  await watch.sinceLast(signal)
  expect(board.list[0]?.message).toContain('is not the one that was checked before')
})

test('a whole check that is asked for during a shorter one is a whole one', async () => {
  const { db, watch, board } = watched()
  const { signal } = new AbortController()
  await watch.sinceLast(signal)
  db.exec("UPDATE audit SET detail = '{}' WHERE seq = 3")
  await Promise.all([watch.sinceLast(signal), watch.whole(signal)])
  expect(board.list[0]?.message).toContain('record 3 does not follow')
})

test('a chain whose end was cut off is found', async () => {
  const { db } = watched()
  db.exec('DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)')
  const copy = openReader(db.name)
  expect(auditProblem(copy)).toContain('the database states that it ends at')
  copy.close()
})
