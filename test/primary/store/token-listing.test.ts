/** Lists of issued tokens: each token once, in order, and a bounded part of the work a call. */
import { expect, test } from 'vitest'
import { nextAuditRow } from '../../../primary/authority/audit.ts'
import { IssueAudit } from '../../../primary/store/issue-audit.ts'
import { Lineage } from '../../../primary/store/lineage.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { type ListTokensOptions, TokenListing } from '../../../primary/store/token-listing.ts'
import type { AuditHead } from '../../../shared/database/audit-chain.ts'
import { type Kid, kid, type Nonce, tokenId } from '../../../shared/ids.ts'
import { LIST_CHARS_MAX, LIST_RECORDS_READ_MAX, WALK_ROWS_A_TURN } from '../../../shared/limits.ts'
import { endOfMs } from '../../../shared/macaroon/nonce.ts'
import { type Database } from '../../../shared/sqlite/open-database.ts'
import { ACME, ALL, counted, database, GLOBEX, mint, NEVER, nonceAt, NOW_MS } from './issued-tokens.ts'

test('100,000 records are listed once and in order, and every call reads a bounded part', async () => {
  const db = database()
  mint(db, 100_000)
  const timers = counted()
  const book = new TokenListing(db, new Lineage(db, timers), timers)
  const seen: number[] = []
  let calls = 0
  for (let after: string | undefined = ''; after !== undefined; calls += 1) {
    let read = 0
    const matches: ListTokensOptions['matches'] = () => ++read > 0
    const page = await book.list({ ...ALL, keys: [ACME], after, matches })
    seen.push(...page.tokens.map(({ issuedAtMs }) => issuedAtMs))
    expect(read).toBeLessThanOrEqual(LIST_RECORDS_READ_MAX)
    after = page.next
  }
  expect(seen).toEqual(Array.from({ length: 50_000 }, (_, n) => NOW_MS + 2 * n))
  // The last page ends with the last record of the org: those of others behind it make no further page.
  expect(calls).toBe(50)
  expect(timers.turns()).toBeGreaterThanOrEqual(100_000 / WALK_ROWS_A_TURN - calls)
})

test('a page without a match ends with a millisecond, and the last one with no time at all', async () => {
  const db = database()
  mint(db, LIST_RECORDS_READ_MAX + 5)
  const book = new TokenListing(db, new Lineage(db))
  const page = await book.list({ ...ALL, matches: () => false })
  expect(page).toEqual({ tokens: [], next: endOfMs(NOW_MS + LIST_RECORDS_READ_MAX - 1) })
  const read: number[] = []
  const last = await book.list({ ...ALL, after: page.next ?? '', matches: () => read.push(1) < 0 })
  expect([last, read.length]).toEqual([{ tokens: [] }, 5])
})

test('tokens of one millisecond are listed once, wherever a page ends among them', async () => {
  const db = database()
  const rows = new RowWriter(db)
  const nonces = Array.from({ length: LIST_RECORDS_READ_MAX + 50 }, (_, n) => {
    const counter = (n % 4_000).toString(16).padStart(3, '0')
    return `${(NOW_MS + Math.floor(n / 4_000)).toString(16).padStart(12, '0')}7${counter}8000000000000000` as Nonce
  })
  db.transaction(() => {
    for (const [n, nonce] of nonces.entries())
      rows.write({ table: 'issued', row: { kid: n % 3 === 0 ? ACME : GLOBEX, nonce, subject: 'alice', expiresAt: 0 } })
  })()
  const book = new TokenListing(db, new Lineage(db))
  const wanted = nonces.filter((_, n) => n % 3 === 0)
  for (const limit of [7, 1_000]) {
    const seen: string[] = []
    for (let after: string | undefined = ''; after !== undefined;) {
      const page = await book.list({ ...ALL, limit, after, matches: ({ kid: key }) => key === ACME })
      expect(page.tokens.length).toBeLessThanOrEqual(limit)
      seen.push(...page.tokens.map(({ id }) => id.split('.')[1] ?? ''))
      after = page.next
    }
    expect(seen).toEqual(wanted)
  }
  const none = await book.list({ ...ALL, matches: () => false })
  expect(none).toEqual({ tokens: [] })
})

test('a list since a time begins with the first token of that time, and reads none before it', async () => {
  const db = database()
  mint(db, 5_000)
  const book = new TokenListing(db, new Lineage(db))
  const read: string[] = []
  const matches: ListTokensOptions['matches'] = ({ subject }) => read.push(subject) > 0
  const { tokens } = await book.list({ ...ALL, sinceMs: NOW_MS + 4_990, matches })
  expect(tokens.map(({ issuedAtMs }) => issuedAtMs - NOW_MS)).toEqual([
    4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999,
  ])
  expect(read).toHaveLength(10)
  for (const sinceMs of [NOW_MS + 5_000, Number.MAX_SAFE_INTEGER])
    expect(await book.list({ ...ALL, sinceMs })).toEqual({ tokens: [] })
})

test('a page of long subjects ends before its answer is too large', async () => {
  const db = database()
  mint(db, 2_000, '\u0001'.repeat(255))
  const { tokens, next } = await new TokenListing(db, new Lineage(db)).list(ALL)
  expect(next).toBe(tokens.at(-1)?.id.split('.')[1])
  expect(JSON.stringify(tokens).length).toBeLessThan(LIST_CHARS_MAX + 4_096)
})

test('tokens under every key of an org are listed in order, and new ones from the next call on', async () => {
  const db = database()
  const rows = new RowWriter(db)
  const keys = Array.from({ length: 40 }, (_, n) => kid(n.toString(16).padStart(16, '0')))
  const mintAt = (n: number, key: Kid): void =>
    rows.write({ table: 'issued', row: { kid: key, nonce: nonceAt(NOW_MS + n), subject: 'alice', expiresAt: 0 } })
  db.transaction(() => {
    for (let n = 0; n < 6_000; n += 1) mintAt(n, keys[n < 3_000 ? Math.floor(n / 100) : (n * 7) % 40] ?? ACME)
  })()
  const book = new TokenListing(db, new Lineage(db))
  const seen: number[] = []
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = await book.list({ ...ALL, keys: keys.slice(0, 39), after })
    seen.push(...page.tokens.map(({ issuedAtMs }) => issuedAtMs - NOW_MS))
    after = page.next
  }
  const expected = Array.from({ length: 6_000 }, (_, n) => n).filter((n) => n < 3_000 || (n * 7) % 40 !== 39)
  expect(seen).toEqual(expected)
  mintAt(6_000, ACME)
  expect((await book.list({ ...ALL, keys: [ACME] })).tokens).toHaveLength(1)
})

test('a walk ends when its caller is gone', async () => {
  const db = database()
  mint(db, 3 * WALK_ROWS_A_TURN)
  const gone = new AbortController()
  const book = new TokenListing(db, new Lineage(db))
  const read: number[] = []
  const matches = (): boolean => {
    gone.abort()
    return read.push(1) < 0
  }
  await book.list({ ...ALL, matches, signal: gone.signal })
  expect(read.length).toBe(WALK_ROWS_A_TURN)
})

/** Exchanges at the numbers that `made` names, each from the first token of acme; the others from a token of globex. */
function exchange(db: Database, count: number, made: readonly number[]): void {
  const rows = new RowWriter(db)
  db.transaction(() => {
    for (let n = 0; n < count; n += 1) {
      const nonce = nonceAt(NOW_MS + 10 + n)
      const root = made.includes(n) ? { kid: ACME, nonce: nonceAt(NOW_MS) } : { kid: GLOBEX, nonce: nonceAt(NOW_MS) }
      rows.write({ table: 'issued', row: { kid: ACME, nonce, subject: 'alice', expiresAt: 0 } })
      const lineage = {
        kid: ACME,
        nonce,
        ancestors: [{ kid: GLOBEX, nonce: nonceAt(1) }, root],
        stripped: 'login',
        atMs: n,
      }
      rows.write({ table: 'service_tokens', row: lineage })
    }
  })()
}

test('what was made from a token is found, page by page; another kid is another token', async () => {
  const db = database()
  mint(db, 1)
  exchange(db, 25_000, [3, 4_000, 24_999])
  const lineage = new Lineage(db)
  const root = { kid: ACME, keys: [ACME], nonce: nonceAt(NOW_MS), signal: NEVER }
  const found: number[] = []
  const pages: (string | undefined)[] = []
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = await lineage.madeFrom({ ...root, after, limit: 100 })
    found.push(...page.tokens.map(({ atMs }) => atMs))
    pages.push((after = page.next))
  }
  expect(found).toEqual([3, 4_000, 24_999])
  expect(pages).toEqual([endOfMs(NOW_MS + 10_009), endOfMs(NOW_MS + 20_009), undefined])
  const first = await lineage.madeFrom({ ...root, after: '', limit: 1 })
  expect(first).toMatchObject({ tokens: [{ stripped: 'login', atMs: 3 }], next: nonceAt(NOW_MS + 13) })
  // The newest token has no descendants, and the records before it are not read.
  const newest = { kid: ACME, keys: [ACME], nonce: nonceAt(NOW_MS + 25_008), after: '', limit: 100, signal: NEVER }
  expect(await lineage.madeFrom(newest)).toEqual({ tokens: [] })
})

test('a listed service token names its ancestors, and a minted one none', async () => {
  const db = database()
  mint(db, 1)
  exchange(db, 3, [1])
  const { tokens } = await new TokenListing(db, new Lineage(db)).list(ALL)
  expect(tokens.map(({ ancestors }) => ancestors?.[1])).toEqual([
    undefined,
    tokenId(GLOBEX, nonceAt(NOW_MS)),
    tokenId(ACME, nonceAt(NOW_MS)),
    tokenId(GLOBEX, nonceAt(NOW_MS)),
  ])
})

test('the audit record of every mint is found among other records, however they are mixed', async () => {
  const db = database()
  const rows = new RowWriter(db)
  const other = { atMs: 1, actor: 'operator', action: 'token.revoke', org: 'acme', target: 'x', detail: {} }
  const mints: { readonly id: string; readonly atMs: number }[] = []
  db.transaction(() => {
    let head: AuditHead = { seq: 1, hash: new Uint8Array(32) }
    for (let n = 0; n < 12_000; n += 1) {
      // Mints are alone, in a row, and behind more other records than one slice has.
      const isMint = n % 1_000 === 7 || (n > 3_000 && n < 3_010) || n === 11_999
      const id = tokenId(ACME, nonceAt(NOW_MS + n))
      const action = n % 2 === 0 ? 'token.exchange' : 'token.mint'
      const row = nextAuditRow(head, isMint ? { ...other, atMs: n, action, target: id } : other)
      head = row
      rows.write({ table: 'audit', row })
      if (isMint) mints.push({ id, atMs: n })
    }
  })()
  const audit = new IssueAudit(db)
  for (const { id, atMs } of mints) {
    const kind = atMs % 2 === 0 ? 'token.exchange' : 'token.mint'
    expect(await audit.find(id as ReturnType<typeof tokenId>, NEVER)).toEqual({ kind, by: 'operator', atMs })
  }
  for (const ms of [NOW_MS - 1, NOW_MS + 8, NOW_MS + 12_000])
    expect(await audit.find(tokenId(ACME, nonceAt(ms)), NEVER)).toBeUndefined()
  // The same nonce under another key is another token.
  expect(await audit.find(tokenId(GLOBEX, nonceAt(NOW_MS + 7)), NEVER)).toBeUndefined()
})
