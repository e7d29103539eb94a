import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LIST_CHARS_MAX, WALK_ROWS_A_TURN } from '../../../shared/limits.ts'
import { auditListResult, type AuditListParams, type AuditRecord } from '../../../shared/protocol/audit.ts'
import { answerAuditList } from '../../../shared/service/audit-list.ts'
import { openWritable, type Database } from '../../../shared/sqlite/open-database.ts'

const PEER = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'

function database(count: number, detail: string = '{}'): Database {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-audit-'))
  const db = openWritable(join(folder, 'macaroond.db'))
  db.pragma('synchronous = OFF')
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  db.exec(
    'CREATE TABLE audit (seq INTEGER PRIMARY KEY, at_ms INTEGER, actor TEXT, action TEXT, org TEXT, target TEXT, detail TEXT, hash BLOB)',
  )
  const insert = db.prepare("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, x'00')")
  db.transaction(() => {
    for (let seq = 1; seq <= count; seq += 1) {
      const actor = seq % 3 === 0 ? 'primary' : `${seq % 3 === 1 ? 'login' : 'login2'} ${PEER}${seq % 3}`
      const kind = seq % 10 === 0 ? 'token.revoke' : 'token.mint'
      insert.run([seq, 1_000 + seq, actor, kind, seq % 2 === 0 ? 'acme' : '', `target ${seq}`, detail])
    }
  })()
  return db
}

/** All that matches, call by call, and the number of calls. */
function all(db: Database, asked: Omit<AuditListParams, 'after'> = {}): readonly [readonly AuditRecord[], number] {
  const records: AuditRecord[] = []
  let calls = 0
  for (let after = 0; ;) {
    const page = auditListResult.parse(answerAuditList(db, { ...asked, after }))
    records.push(...page.records)
    calls += 1
    if (page.done) return [records, calls]
    expect(page.through).toBeGreaterThan(after)
    after = page.through
  }
}

test('all records are listed once and in order, a slice a call', () => {
  const [records, calls] = all(database(3 * WALK_ROWS_A_TURN + 1))
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 3 * WALK_ROWS_A_TURN + 1 }, (_, n) => n + 1))
  expect(calls).toBeGreaterThanOrEqual(4)
})

test('records are chosen by org, kind, time and actor: by its name, its PeerId, or both', () => {
  const db = database(60)
  const count = (asked: Omit<AuditListParams, 'after'>): number => all(db, asked)[0].length
  expect(count({ org: 'acme' })).toBe(30)
  expect(count({ kind: 'token.revoke' })).toBe(6)
  expect(count({ sinceMs: 1_051 })).toBe(10)
  expect(count({ actor: 'login' })).toBe(20)
  expect(count({ actor: `${PEER}2` })).toBe(20)
  expect(count({ actor: `login ${PEER}1` })).toBe(20)
  expect(count({ actor: 'primary' })).toBe(20)
  expect(count({ actor: 'log' })).toBe(0)
  expect(count({ org: 'acme', kind: 'token.revoke', actor: 'primary' })).toBe(2)
})

test('a page of large records ends before its answer is too large, and misses none', () => {
  const db = database(100, JSON.stringify({ reason: 'x'.repeat(20_000) }))
  const first = answerAuditList(db, { after: 0 })
  expect(JSON.stringify(first).length).toBeLessThan(LIST_CHARS_MAX + 25_000)
  expect(first.done).toBe(false)
  expect(all(db)[0]).toHaveLength(100)
})

test('a replica without a database has no records', () => {
  expect(answerAuditList(undefined, { after: 7 })).toEqual({ records: [], through: 7, done: true })
})
