import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { systemEntropy } from '../../shared/clock.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { keyOfRow } from '../../shared/database/revocation-log.ts'
import type { Kid, Nonce } from '../../shared/ids.ts'
import { gapAfter, type Stretch } from '../../shared/protocol/stretch.ts'
import { kekFromHex, type Kek, seal } from '../../shared/sealing.ts'
import { type Database, openReader } from '../../shared/sqlite/open-database.ts'
import { type CopyDatabase, database, KEK, KID, nonceOf, revoke, row } from './tables-database.ts'

test('a revocation from the pages, from the stream, or from both refuses one token', () => {
  const { writer, tables } = database()
  const made = tables()
  revoke(writer, 1)
  made.refresh()
  made.add([row(2), row(3)], 3, made.meta?.timeline)
  revoke(writer, 2)
  made.refresh()
  for (const seq of [1, 2, 3]) expect(made.revoked(KID as never, nonceOf(seq) as never)).toBe(true)
  expect(made.revoked(KID as never, nonceOf(4) as never)).toBe(false)
  expect(made.counts.revocations).toBe(3)
  expect([made.revocationsInPages, made.revocationSeq]).toEqual([2, 3])
})

test('a revocation of an unknown kind makes the replica unavailable for every token', () => {
  const { writer, tables } = database()
  const made = tables()
  expect(made.uninterpretable).toBeUndefined()
  revoke(writer, 1, 'subject-before')
  made.refresh()
  expect(made.uninterpretable).toContain('subject-before')
})

test('an unknown revocation and those after it do not count as known until a version knows it', () => {
  const { writer, tables } = database()
  const made = tables()
  revoke(writer, 1)
  revoke(writer, 2, 'device')
  revoke(writer, 3)
  made.refresh()
  expect([made.revocationsInPages, made.revocationSeq]).toEqual([1, 1])
  revoke(writer, 4)
  made.refresh()
  expect([made.revocationsInPages, made.revocationSeq]).toEqual([1, 1])
  // The version that knows the kind reads the same pages.
  writer.exec("UPDATE revocations SET kind = 'token' WHERE seq = 2")
  const upgraded = tables()
  expect([upgraded.uninterpretable, upgraded.revocationSeq]).toEqual([undefined, 4])
})

test('a wrong record that names one token denies that token, raises an alert, and no more', () => {
  const { writer, tables } = database()
  const made = tables()
  revoke(writer, 1)
  writer.exec('UPDATE revocations SET expires_at = -1')
  made.refresh()
  expect(made.revoked(KID as never, nonceOf(1) as never)).toBe(true)
  expect(made.poison).toContain('revocation 1 is malformed')
  expect([made.uninterpretable, made.revocationSeq]).toEqual([undefined, 1])
})

test('cut-offs come from pages and from the stream, and are of one table', () => {
  const { writer, tables } = database()
  const made = tables()
  expect(made.cutOffs.size).toBe(0)
  const subject = { seq: 1, kind: 'subject', org: 'acme', subject: 'alice', untilMs: 1_000, expiresAt: 0 } as const
  writer
    .prepare('INSERT INTO revocations VALUES (1, ?, ?, ?, 0, 0, ?, ?)')
    .run('subject', 'acme', keyOfRow(subject), 'somebody', '')
  writer.exec('UPDATE meta SET txid = txid + 1, revocation_seq = 1')
  made.refresh()
  made.add([{ seq: 2, kind: 'org_disabled', org: 'globex', expiresAt: 0 }], 2, made.meta?.timeline)
  const name = { kid: KID as Kid, nonce: nonceOf(1) as Nonce }
  expect(made.cutOffs.refusalOf(name, 'acme', 'alice')).toBe('revoked')
  expect(made.cutOffs.refusalOf(name, 'acme', 'bob')).toBeUndefined()
  expect(made.cutOffs.refusalOf(name, 'globex', 'bob')).toBe('org_disabled')
  expect(made.counts.revocations).toBe(2)
})

test('a schema raised by an applied transaction is refused at once, not at the next start', () => {
  const { writer, tables } = database()
  const made = tables()
  writer.exec('UPDATE meta SET txid = txid + 1, schema = schema + 1')
  expect(() => made.refresh()).toThrow(expect.objectContaining({ code: 'schema_newer' }))
})

test('a wrong key-encryption key shows at once, also while there are no orgs', () => {
  const { tables } = database()
  expect(() => tables(kekFromHex('cd'.repeat(32)))).toThrow(expect.objectContaining({ code: 'kek_wrong' }))
})

/** Of one key, by what the ring of a replica makes of it. */
function keyOf(made: ReturnType<CopyDatabase['tables']>): unknown[] {
  const key = made.key(KID as Kid)
  const { stale, unopened } = made.keysRead
  return [
    key === undefined ? 'none' : key.derivedKey === undefined ? 'unopened' : 'open',
    stale.length,
    unopened.length,
  ]
}

function storeKey(writer: Database, kek: Kek, kid: string = KID): void {
  writer.exec("INSERT OR IGNORE INTO orgs VALUES ('acme', 'active', 0)")
  const sealed = seal(kek, { cluster: 'test', org: 'acme', kid }, Buffer.alloc(32, 7), systemEntropy)
  const bytes = Buffer.from(kid, 'hex')
  writer.prepare("INSERT OR REPLACE INTO root_keys VALUES (?, 'acme', 1, 'active', ?, 0)").run(bytes, sealed)
  writer.exec('UPDATE meta SET txid = txid + 1, key_generation = key_generation + 1')
}

const NEW_KEK = kekFromHex('cd'.repeat(32))

test('a key that this replica cannot open only makes the tokens of that key unavailable', () => {
  const { writer, tables } = database()
  const made = tables()
  storeKey(writer, NEW_KEK)
  made.refresh()
  expect(keyOf(made)).toEqual(['unopened', 0, 1])
  storeKey(writer, KEK, '2'.repeat(16))
  made.refresh()
  expect(made.key('2'.repeat(16) as Kid)?.derivedKey).toBeDefined()
  // A start that opens something starts.
  expect(keyOf(tables())).toEqual(['unopened', 0, 1])
})

test('an opened key stays in use until the next start when it is resealed with a missing key', () => {
  const { writer, tables } = database()
  storeKey(writer, KEK)
  const made = tables()
  const before = made.key(KID as Kid)?.derivedKey
  storeKey(writer, NEW_KEK)
  made.refresh()
  expect([made.key(KID as Kid)?.derivedKey, keyOf(made)]).toEqual([before, ['open', 1, 0]])
  // The database is replaced: the same key.
  const reader = openReader(writer.name)
  onTestFinished(() => void reader.close())
  made.attach(undefined)
  made.attach({ reader, meta: new MetaReader(reader) })
  expect(keyOf(made)).toEqual(['open', 1, 0])
  expect(keyOf(tables())).toEqual(['unopened', 0, 1])
  expect(keyOf(tables(NEW_KEK))).toEqual(['open', 0, 0])
})

test('a start whose ring opens neither a root key nor the signing key is refused', () => {
  const { writer, tables } = database()
  storeKey(writer, KEK)
  expect(() => tables(NEW_KEK)).toThrow(expect.objectContaining({ code: 'kek_wrong' }))
})

test('a refused token stays refused when a database of another timeline replaces this one', () => {
  const { writer, tables } = database()
  const made = tables()
  revoke(writer, 1)
  made.refresh()
  writer.exec(
    'DELETE FROM revocations; UPDATE meta SET txid = txid + 1, revocation_seq = 0, timeline = lower(hex(randomblob(16)))',
  )
  made.refresh()
  expect(made.revoked(KID as never, nonceOf(1) as never)).toBe(true)
})

test('purged rows leave no gap: the rest is known to the last number, and handed on so', () => {
  const history = fc.array(fc.constantFrom('kept', 'kept', 'purged', 'purged', 'read'), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(history, (events) => {
      const { writer, tables } = database()
      const handed: Stretch[] = []
      const made = tables(KEK, (_, stretch) => handed.push(stretch))
      const kept: number[] = []
      let seq = 0
      for (const event of events) {
        if (event === 'read') made.refresh()
        else revoke(writer, (seq += 1))
        if (event === 'kept') kept.push(seq)
        if (event === 'purged') writer.prepare('DELETE FROM revocations WHERE seq = ?').run(seq)
      }
      made.refresh()
      expect([made.revocationsInPages, made.revocationSeq]).toEqual([seq, seq])
      for (let known = 1; known <= seq; known += 1) {
        expect(made.revoked(KID as never, nonceOf(known) as never)).toBe(kept.includes(known))
      }
      let through = 0
      for (const stretch of handed) {
        expect(gapAfter(through, stretch)).toBeUndefined()
        through = stretch.through
      }
      expect([through, handed.flatMap(({ rows }) => rows.map((one) => one.seq))]).toEqual([seq, kept])
    }),
    { numRuns: 15 },
  )
})

/** Revoked from pages: some tokens and some cut-offs; then saved. */
async function saved(): Promise<CopyDatabase & { readonly file: Buffer }> {
  const all = database()
  const { writer, tables, savedPath } = all
  for (const seq of [1, 2, 3]) revoke(writer, seq)
  const cutOffs = [
    { seq: 4, kind: 'subject', org: 'acme', subject: 'alice', untilMs: 1_000, expiresAt: 0 },
    { seq: 5, kind: 'org', org: 'acme', untilMs: 500, expiresAt: 0 },
    { seq: 6, kind: 'key', org: 'globex', kid: KID, expiresAt: 0 },
    { seq: 7, kind: 'org_disabled', org: 'gone', expiresAt: 0 },
  ] as const
  for (const one of cutOffs) {
    writer
      .prepare('INSERT INTO revocations VALUES (?, ?, ?, ?, 0, 0, ?, ?)')
      .run(one.seq, one.kind, one.org, keyOfRow(one), 'somebody', '')
  }
  writer.exec('UPDATE meta SET txid = txid + 1, revocation_seq = 7')
  await tables().save()
  expect(existsSync(savedPath)).toBe(true)
  return { ...all, file: readFileSync(savedPath) }
}

/** How a start goes: what it refuses, and the numbers of the rows that it read from pages. */
function startOf({ tables }: Pick<CopyDatabase, 'tables'>): { refused: unknown; read: number[] } {
  const read: number[] = []
  const made = tables(KEK, (_, { rows }) => read.push(...rows.map(({ seq }) => seq)))
  const tokens = [1, 2, 3, 8, 9].filter((seq) => made.revoked(KID as never, nonceOf(seq) as never))
  // Of the 700th millisecond: after the cut-off of the org, before that of the subject.
  const name = { kid: KID as Kid, nonce: `0000000002bc${nonceOf(1).slice(12)}` as Nonce }
  const cutOffs = [
    made.cutOffs.refusalOf(name, 'acme', 'alice'),
    made.cutOffs.refusalOf(name, 'acme', 'bob'),
    made.cutOffs.refusalOf({ kid: KID as Kid, nonce: nonceOf(1) as Nonce }, 'acme', 'bob'),
    made.cutOffs.refusalOf(name, 'globex', 'bob'),
    made.cutOffs.refusalOf(name, 'gone', 'bob'),
  ]
  const size = made.counts.revocations
  return { refused: { tokens, cutOffs, size, seq: made.revocationSeq }, read }
}

test('a start loads the saved table, reads later rows from the pages, and refuses the same', async () => {
  const all = await saved()
  revoke(all.writer, 8)
  const quick = startOf(all)
  expect(quick.read).toEqual([8])
  rmSync(all.savedPath)
  const whole = startOf(all)
  expect(whole.read).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(quick.refused).toEqual(whole.refused)
  expect(whole.refused).toEqual({
    tokens: [1, 2, 3, 8],
    cutOffs: ['revoked', undefined, 'revoked', 'key_retired', 'org_disabled'],
    size: 8,
    seq: 8,
  })
})

test('a saved table that is damaged, cut or of another version is skipped for the pages', async () => {
  const all = await saved()
  const { file, savedPath } = all
  const whole = startOf({ tables: (...options) => (rmSync(savedPath, { force: true }), all.tables(...options)) })
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = Buffer.from(file)
      damaged[at] = (damaged[at] ?? 0) ^ change
      writeFileSync(savedPath, damaged)
      expect(startOf(all)).toEqual(whole)
    }),
    { numRuns: 30 },
  )
  for (const length of [0, 7, 19, 21, file.length - 4]) {
    writeFileSync(savedPath, file)
    truncateSync(savedPath, length)
    expect(startOf(all)).toEqual(whole)
  }
})

test('a saved table of another timeline, or ahead of the pages, is passed over', async () => {
  const all = await saved()
  all.writer.exec('DELETE FROM revocations WHERE seq > 2; UPDATE meta SET txid = txid + 1, revocation_seq = 2')
  expect(startOf(all)).toMatchObject({ read: [1, 2], refused: { tokens: [1, 2], size: 2, seq: 2 } })
  all.writer.exec('UPDATE meta SET txid = txid + 1, revocation_seq = 7, timeline = lower(hex(randomblob(16)))')
  expect(startOf(all)).toMatchObject({ read: [1, 2], refused: { tokens: [1, 2], size: 2, seq: 7 } })
})

test('a saved table of a history that was replaced on the same timeline is skipped', async () => {
  const all = await saved()
  // As on a primary whose disk was put back, and then given other revocations.
  all.writer.exec('DELETE FROM revocations WHERE seq = 2; UPDATE revocations SET at_ms = 77 WHERE seq = 7')
  expect(startOf(all)).toMatchObject({ read: [1, 3, 4, 5, 6, 7], refused: { tokens: [1, 3], seq: 7 } })
})
