/** S1, S3, S13: time alone takes no revocation away that could still refuse a token, and the table says what the files say. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { TakeLost } from '../../replica/tables/census.ts'
import type { Tables } from '../../replica/tables/tables.ts'
import { outlivedBefore } from '../../shared/verifier/outlived.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { database, KID, nonceOf, revoke, row } from './tables-database.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2030, 0)
const NEVER = new AbortController().signal
const count: TakeLost = (lost) => Promise.resolve([...lost].flat().length)

function issueClock(writer: Database, ms: number): void {
  writer.prepare('UPDATE meta SET txid = txid + 1, issue_clock_ms = ?').run(ms)
}

function refused(tables: Tables, ...seqs: number[]): number[] {
  return seqs.filter((seq) => tables.revoked(KID as never, nonceOf(seq) as never))
}

/** Of a token that lives for a day more. */
const TOMORROW = (NOW_MS + DAY_MS) / 1000

test('a sweep lets go of what the issue clock in the pages has outlived, and of nothing else', async () => {
  const { writer, tables } = database()
  issueClock(writer, NOW_MS)
  const made = tables()
  const outlived = outlivedBefore(NOW_MS)
  const expiries = [0, outlived - 1, outlived, NOW_MS / 1000]
  const rows = expiries.map((expiresAt, index) => row(index + 1, expiresAt))
  made.add(rows, 4, made.meta?.timeline)
  await made.sweep(NOW_MS + 392 * DAY_MS, NEVER)
  expect([refused(made, 1, 2, 3, 4), made.counts.revocations, made.revocationSeq]).toEqual([[1, 3, 4], 3, 4])
})

test('a clock that jumps ahead by years sweeps nothing, here or at the next start', async () => {
  const { writer, tables } = database()
  issueClock(writer, NOW_MS)
  revoke(writer, 1, 'token', TOMORROW)
  const made = tables()
  await made.sweep(NOW_MS + 392 * DAY_MS, NEVER)
  await made.save()
  expect([refused(made, 1), refused(tables(), 1)]).toEqual([[1], [1]])
})

test('an issue clock that jumps ahead by years sweeps nothing that the own clock still keeps', async () => {
  const { writer, tables } = database()
  issueClock(writer, NOW_MS + 392 * DAY_MS)
  revoke(writer, 1, 'token', TOMORROW)
  const made = tables()
  await made.sweep(NOW_MS, NEVER)
  expect(refused(made, 1)).toEqual([1])
})

test('a scrub adds a row that only an issue clock years ahead has outlived', async () => {
  const { writer, tables } = database()
  issueClock(writer, NOW_MS + 392 * DAY_MS)
  const made = tables()
  expect(await made.compare([row(1, TOMORROW)], NEVER, count)).toMatchObject({ missing: 1 })
  expect(refused(made, 1)).toEqual([1])
})

test('a table that was swept by a time that the pages do not know is passed over at a start', async () => {
  const { writer, tables } = database()
  revoke(writer, 1, 'token', TOMORROW)
  revoke(writer, 2)
  issueClock(writer, NOW_MS + 392 * DAY_MS)
  const made = tables()
  await made.sweep(NOW_MS + 392 * DAY_MS, NEVER)
  await made.save()
  expect([refused(made, 1, 2), refused(tables(), 1, 2)]).toEqual([[2], [2]])
  // As after a power cut that took the last transaction, or a restore of an earlier one.
  issueClock(writer, NOW_MS)
  expect(refused(tables(), 1, 2)).toEqual([1, 2])
})

test('a table of a version that swept by its own time is passed over', async () => {
  const { writer, tables, savedPath } = database()
  revoke(writer, 1)
  const made = tables()
  await made.save()
  const file = readFileSync(savedPath)
  file.writeUInt32LE(1, 8)
  writeFileSync(savedPath, file)
  const read: number[] = []
  tables(undefined, (_, { rows }) => read.push(...rows.map(({ seq }) => seq)))
  expect(read).toEqual([1])
})

test('a purge at the primary moves the clock that replicas sweep by, although nothing is minted', async () => {
  const { writer, tables } = database()
  issueClock(writer, NOW_MS - 400 * DAY_MS)
  revoke(writer, 1, 'token', NOW_MS / 1000 - 395 * 86_400)
  revoke(writer, 2)
  const made = tables()
  await made.sweep(NOW_MS, NEVER)
  expect(refused(made, 1, 2)).toEqual([1, 2])
  writer.exec('DELETE FROM revocations WHERE seq = 1')
  issueClock(writer, NOW_MS)
  made.refresh()
  await made.sweep(NOW_MS, NEVER)
  expect(refused(made, 1, 2)).toEqual([2])
})

test('a comparison finds nothing where pages, journal and table agree, also after a sweep', async () => {
  const { writer, tables } = database()
  revoke(writer, 1)
  revoke(writer, 2, 'token', 1_000)
  issueClock(writer, NOW_MS)
  const made = tables()
  made.add([row(3)], 3, made.meta?.timeline)
  await made.sweep(NOW_MS, NEVER)
  expect(await made.compare([row(3)], NEVER, count)).toEqual({ missing: 0, unaccounted: 0 })
})

test('a comparison denies again, and counts, what the table lacks of pages, journal and cut-offs', async () => {
  const { writer, tables } = database()
  revoke(writer, 1)
  revoke(writer, 2)
  const wrong = tables()
  // Pages that say something else than what the table was made of.
  writer.exec("UPDATE revocations SET key = x'" + KID + nonceOf(7) + "' WHERE seq = 1")
  const cutOff = { seq: 9, kind: 'org', org: 'acme', untilMs: 500, expiresAt: 0 } as const
  expect(await wrong.compare([row(8), cutOff], NEVER, count)).toEqual({ missing: 3, unaccounted: 1 })
  expect(refused(wrong, 1, 2, 7, 8)).toEqual([1, 2, 7, 8])
  expect(wrong.cutOffs.size).toBe(1)
  expect(await wrong.compare([row(8), cutOff], NEVER, count)).toEqual({ missing: 0, unaccounted: 1 })
})

test('a comparison reports what only the table denies: a restart could forget it', async () => {
  const { writer, tables } = database()
  revoke(writer, 1)
  const made = tables()
  const cutOff = { seq: 3, kind: 'org_disabled', org: 'gone', expiresAt: 0 } as const
  made.deny([row(2), cutOff, row(4, 1_000)])
  issueClock(writer, NOW_MS)
  made.refresh()
  // The last one is outlived: the pages may have lost it to a purge.
  expect(await made.compare([], NEVER, count)).toEqual({ missing: 0, unaccounted: 2 })
  expect(await made.compare([row(2), cutOff], NEVER, count)).toEqual({ missing: 0, unaccounted: 0 })
})

test('revocations that come while a comparison runs are counted as neither', async () => {
  const { writer, tables } = database()
  writer.transaction(() => {
    for (let seq = 1; seq <= 1_200; seq += 1) revoke(writer, seq)
  })()
  const made = tables()
  const comparing = made.compare([], NEVER, count)
  made.add([row(1_201)], 1_201, made.meta?.timeline)
  expect(await comparing).toEqual({ missing: 0, unaccounted: 0 })
})
