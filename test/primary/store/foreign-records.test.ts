/** What other orgs issued shows in no list of an org, and costs it no more than its turns. */
import { expect, test } from 'vitest'
import { Lineage } from '../../../primary/store/lineage.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { TokenListing } from '../../../primary/store/token-listing.ts'
import { WALK_ROWS_A_TURN } from '../../../shared/limits.ts'
import { type Database } from '../../../shared/sqlite/open-database.ts'
import { ACME, ALL, counted, database, GLOBEX, NEVER, nonceAt, NOW_MS } from './issued-tokens.ts'

/** Mints and exchanges of two orgs, each at its own milliseconds. All exchanges are from the first token of its org. */
function fill(db: Database, own: readonly number[], foreign: readonly number[]): void {
  const rows = new RowWriter(db)
  const all = [...own.map((ms) => ({ ms, of: ACME })), ...foreign.map((ms) => ({ ms, of: GLOBEX }))]
  db.transaction(() => {
    for (const { ms, of } of all.toSorted((a, b) => a.ms - b.ms)) {
      const nonce = nonceAt(NOW_MS + ms)
      rows.write({ table: 'issued', row: { kid: of, nonce, subject: 'alice', expiresAt: 0 } })
      const ancestors = [{ kid: of, nonce: nonceAt(NOW_MS) }]
      rows.write({ table: 'service_tokens', row: { kid: of, nonce, ancestors, stripped: 'login', atMs: ms } })
    }
  })()
}

/** Every answer that a caller of one org can get by asking page by page. */
async function everyPage(db: Database, own: { readonly sinceMs: number; readonly limit: number }): Promise<unknown[]> {
  const lineage = new Lineage(db)
  const book = new TokenListing(db, lineage)
  const pages: unknown[] = []
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = await book.list({ ...ALL, ...own, keys: [ACME], after })
    pages.push(page)
    after = page.next
  }
  for (let after: string | undefined = ''; after !== undefined;) {
    const root = { kid: ACME, nonce: nonceAt(own.sinceMs), keys: [ACME] }
    const page = await lineage.madeFrom({ ...root, limit: own.limit, after, signal: NEVER })
    pages.push(page)
    after = page.next
  }
  return pages
}

test('every page is the same, whatever other orgs minted and exchanged', async () => {
  const own = Array.from({ length: 10_500 }, (_, n) => 2 * n)
  const [alone, among] = [database(), database()]
  fill(alone, own, [])
  // Before all own records, and then unevenly among them.
  fill(
    among,
    own,
    Array.from({ length: 6_000 }, (_, n) => (n < 3_000 ? n - 20_000 : 2 * n * (n % 3) + 1)),
  )
  const asked = { sinceMs: NOW_MS + 101, limit: 1_000 }
  expect(await everyPage(among, asked)).toEqual(await everyPage(alone, asked))
  const none = (db: Database): Promise<unknown> =>
    new TokenListing(db, new Lineage(db)).list({ ...ALL, keys: [ACME], matches: () => false })
  expect(await none(among)).toEqual(await none(alone))
})

test('100,000 records of other orgs before the first own one hold no turn, and end no page', async () => {
  const db = database()
  const rows = new RowWriter(db)
  db.transaction(() => {
    for (let n = 0; n <= 100_000; n += 1) {
      const row = { kid: n === 100_000 ? ACME : GLOBEX, nonce: nonceAt(NOW_MS + n), subject: 'alice', expiresAt: 0 }
      rows.write({ table: 'issued', row })
    }
  })()
  const timers = counted()
  const book = new TokenListing(db, new Lineage(db, timers), timers)
  const { tokens, next } = await book.list({ ...ALL, keys: [ACME] })
  expect([tokens.map(({ issuedAtMs }) => issuedAtMs - NOW_MS), next]).toEqual([[100_000], undefined])
  expect(timers.turns()).toBeGreaterThanOrEqual(100_000 / WALK_ROWS_A_TURN)
  // They are not read again.
  const before = timers.turns()
  await book.list({ ...ALL, keys: [ACME] })
  expect(timers.turns()).toBe(before)
})
