import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { Lineage } from '../../../primary/store/lineage.ts'
import { RevocationListing } from '../../../primary/store/revocation-listing.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { IssuedCounter, type CountQuery } from '../../../primary/store/issued-counter.ts'
import { systemClock, systemEntropy, type Timers } from '../../../shared/clock.ts'
import { kid, type Nonce } from '../../../shared/ids.ts'
import { COUNTS_WAITING_MAX, RECORDS_COUNTED_MAX, WALK_ROWS_A_TURN } from '../../../shared/limits.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { openWritable, type Database } from '../../../shared/sqlite/open-database.ts'

const [ACME, GLOBEX] = [kid('00000000000000a1'), kid('00000000000000b2')]
const NOW_MS = 1_800_000_000_000
const REVOKED = { kind: 'token', kid: ACME, expiresAt: 0 } as const
const WHY = { org: 'acme', atMs: NOW_MS, actor: 'operator', reason: '' }

function database(): Database {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-records-'))
  const db = openWritable(join(folder, 'macaroond.db'))
  db.pragma('synchronous = OFF')
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  createAuthorityDatabase(db, {
    cluster: 'test',
    kek: kekFromHex('ab'.repeat(32)),
    clock: systemClock,
    entropy: systemEntropy,
  })
  return db
}

function nonceAt(ms: number): Nonce {
  return `${ms.toString(16).padStart(12, '0')}70008000000000000000` as Nonce
}

/** One mint a millisecond, of two orgs in turn, each second one of acme's for bob. */
function mint(db: Database, count: number, expiresAt: number = 0): void {
  const rows = new RowWriter(db)
  db.transaction(() => {
    for (let n = 0; n < count; n += 1) {
      const subject = n % 4 === 0 ? 'bob' : 'alice'
      rows.write({
        table: 'issued',
        row: { kid: n % 2 === 0 ? ACME : GLOBEX, nonce: nonceAt(NOW_MS + n), subject, expiresAt },
      })
    }
  })()
}

test('recorded tokens are counted by key, subject and time of issue, without expired ones', async () => {
  const db = database()
  mint(db, 4_000)
  mint(db, 4_000, NOW_MS / 1000 - 1)
  const records = new IssuedCounter(db)
  const kids = new Set([ACME])
  const count = async (wanted: CountQuery): Promise<object | undefined> => (await records.count([wanted], NOW_MS))?.[0]
  expect(await count({ kids })).toMatchObject({ count: 2_000, complete: true })
  expect(await count({ kids, subject: 'bob' })).toMatchObject({ count: 1_000, complete: true })
  expect(await count({ kids, subject: 'bob', untilMs: NOW_MS + 8 })).toMatchObject({
    count: 3,
    complete: true,
  })
  expect(await count({ kids, subject: 'nobody' })).toMatchObject({ count: 0, complete: true })
  expect(await count({ kids: new Set() })).toMatchObject({ count: 0, complete: true })
})

test('a count of very many tokens looks only at the last ones, and says so', async () => {
  const db = database()
  mint(db, RECORDS_COUNTED_MAX + 10)
  const [counted] = (await new IssuedCounter(db).count([{ kids: new Set([ACME, GLOBEX]) }], NOW_MS)) ?? []
  expect(counted).toMatchObject({ count: RECORDS_COUNTED_MAX, complete: false })
})

test('the ancestors of a recorded service token are found by its name; other tokens have none', () => {
  const db = database()
  const rows = new RowWriter(db)
  const ancestors = [1, 2].map((n) => ({ kid: GLOBEX, nonce: nonceAt(n) }))
  for (let n = 10; n < 40; n += 1) {
    const made = n === 20 ? ancestors : []
    rows.write({
      table: 'service_tokens',
      row: { kid: ACME, nonce: nonceAt(n), ancestors: made, stripped: 'x', atMs: 1 },
    })
  }
  const lineage = new Lineage(db)
  expect(lineage.ancestorsOf(ACME, nonceAt(20))).toEqual(ancestors)
  expect(lineage.ancestorsOf(ACME, nonceAt(21))).toEqual([])
  expect(lineage.ancestorsOf(GLOBEX, nonceAt(20))).toEqual([])
  expect(lineage.ancestorsOf(ACME, nonceAt(99))).toEqual([])
})

test('one walk counts in slices for all who wait, and names the subjects that may be meant', async () => {
  const db = database()
  const rows = new RowWriter(db)
  for (const [n, subject] of ['alice', 'alcie', 'аlice', 'Alice', 'bob', 'mallory'].entries()) {
    rows.write({ table: 'issued', row: { kid: ACME, nonce: nonceAt(NOW_MS + n), subject, expiresAt: 0 } })
  }
  rows.write({ table: 'issued', row: { kid: GLOBEX, nonce: nonceAt(NOW_MS + 9), subject: 'alicx', expiresAt: 0 } })
  let turns = 0
  const soon = (call: () => void): void => {
    turns += 1
    call()
  }
  const wanted = [
    { kids: new Set([ACME]), subject: 'alice' },
    { kids: new Set([ACME]), subject: 'mallorx' },
  ]
  const [alice, mallorx] = (await new IssuedCounter(db, { soon }).count(wanted, NOW_MS)) ?? []
  expect(alice).toEqual({ count: 1, complete: true, nearest: ['alcie'], lookAlikes: ['Alice', 'аlice'] })
  expect(mallorx).toEqual({ count: 0, complete: true, nearest: ['mallory'], lookAlikes: [] })

  mint(db, 10_000)
  const leaving = new AbortController()
  turns = 0
  const counting = new IssuedCounter(db, { soon: (call) => (leaving.abort(), soon(call)) })
  expect(await counting.count(wanted, NOW_MS, leaving.signal)).toBeUndefined()
  expect(turns).toBe(1)
})

test('a subject in another form of Unicode is one that looks like it', async () => {
  const db = database()
  const rows = new RowWriter(db)
  const [composed, decomposed] = ['NFC', 'NFD'].map((form) => 'josé'.normalize(form))
  rows.write({ table: 'issued', row: { kid: ACME, nonce: nonceAt(NOW_MS), subject: decomposed ?? '', expiresAt: 0 } })
  const [counted] = (await new IssuedCounter(db).count([{ kids: new Set([ACME]), subject: composed }], NOW_MS)) ?? []
  expect(counted).toEqual({ count: 0, complete: true, nearest: [], lookAlikes: [decomposed] })
})

/** The same database, and how many rows were read in each turn of the loop. */
function counted(db: Database): { readonly db: Database; readonly soon: Timers['soon']; readonly rows: number[] } {
  const rows = [0]
  const prepare = (sql: string): unknown => {
    const statement = db.prepare<unknown[], unknown>(sql)
    const all = (...values: unknown[]): unknown[] => {
      const found = statement.all(...values)
      rows[rows.length - 1] = (rows.at(-1) ?? 0) + found.length
      return found
    }
    return { all }
  }
  const soon = (call: () => void): void => {
    rows.push(0)
    call()
  }
  return { db: { prepare } as unknown as Database, soon, rows }
}

test('no turn reads more rows than a slice, however many are stored and however many wait', async () => {
  const own = database()
  mint(own, 20_000)
  const counting = counted(own)
  const wanted = Array.from({ length: COUNTS_WAITING_MAX }, () => ({ kids: new Set([ACME, GLOBEX]), subject: 'x' }))
  await new IssuedCounter(counting.db, counting).count(wanted, NOW_MS)
  expect(counting.rows.reduce((sum, rows) => sum + rows, 0)).toBe(20_000)
  // Many who wait make a row dearer, so a turn has fewer.
  expect(Math.max(...counting.rows)).toBeLessThanOrEqual(WALK_ROWS_A_TURN / 10)

  const revoking = new RowWriter(own)
  for (let seq = 1; seq <= 7_000; seq += 1)
    revoking.write({ table: 'revocations', row: { ...WHY, revocation: { ...REVOKED, seq, nonce: nonceAt(seq) } } })
  const finding = counted(own)
  const { signal } = new AbortController()
  await new RevocationListing(finding.db, finding).find({ limit: 1, matches: () => false, signal })
  expect(finding.rows.reduce((sum, rows) => sum + rows, 0)).toBe(7_000)
  expect(Math.max(...finding.rows)).toBe(WALK_ROWS_A_TURN)
})
