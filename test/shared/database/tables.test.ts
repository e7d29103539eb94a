/** The authority's tables as primary and replicas read them, on a real database. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { Command, Minted, ThirdPartyAdded } from '../../../primary/authority/commands.ts'
import { UnrecordedRate } from '../../../primary/authority/unrecorded.ts'
import { step } from '../../../primary/authority/step.ts'
import type { AuthorityMoment } from '../../../primary/freshness/authority-time.ts'
import { createAuthorityDatabase, isEmptyDatabase } from '../../../primary/store/create-database.ts'
import { thirdPartyContext } from '../../../primary/authority/kek.ts'
import { newestSeqOf } from '../../../primary/authority/state.ts'
import { loadState } from '../../../primary/store/load-state.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { IssuedLog } from '../../../primary/store/issued-log.ts'
import { KeyReader, type OpenedKeys, readOrgs } from '../../../shared/database/keys.ts'
import { checkMeta, MetaReader } from '../../../shared/database/meta.ts'
import { keyOfRow, RevocationLog } from '../../../shared/database/revocation-log.ts'
import { readSigningKey, signingKeyContext } from '../../../shared/database/signing-key.ts'
import { ed25519Sign, ed25519Verify, x25519PublicKey } from '../../../shared/crypto.ts'
import { type Kid, parseTokenId, tokenId, type Nonce } from '../../../shared/ids.ts'
import { kekFromHex, type Kek, seal } from '../../../shared/sealing.ts'
import { openWritable, type Database } from '../../../shared/sqlite/open-database.ts'
import { codeOf } from '../code-of.ts'

const KEK: Kek = kekFromHex('ab'.repeat(32))
const ACTOR = { text: 'tester' }

function database(): Database {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-database-'))
  const db = openWritable(join(folder, 'macaroond.db'))
  db.pragma('synchronous = OFF')
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  expect(isEmptyDatabase(db)).toBe(true)
  createAuthorityDatabase(db, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
  expect(isEmptyDatabase(db)).toBe(false)
  return db
}

function momentNow(): AuthorityMoment {
  const nowMs = Date.now()
  return { nowMs, steadyMs: nowMs, wallMs: nowMs, believed: { earliestMs: nowMs, latestMs: nowMs } }
}

/** Runs commands in one transaction, as the group writer does. */
function run(db: Database, commands: readonly Command[]): ReturnType<typeof step>['answer'][] {
  const state = loadState(db, [KEK], systemEntropy)
  const rows = new RowWriter(db)
  return db.transaction(() => {
    const answers = commands.map((command) => {
      const outcome = step(state, command, {
        ...momentNow(),
        entropy: systemEntropy,
        ring: [KEK],
        unrecorded: new UnrecordedRate(systemClock),
      })
      for (const row of outcome.rows) rows.write(row)
      return outcome.answer
    })
    rows.bump(state)
    return answers
  })()
}

const createOrg = (name: string): Command => ({ kind: 'org.create', actor: ACTOR, name })
const mint: Command = { kind: 'token.mint', actor: ACTOR, org: 'acme', subject: 'ümläut', caveats: [], ttlSeconds: 60 }

test('a state that was written reads back as it was decided', () => {
  const db = database()
  const [, , minted] = run(db, [createOrg('acme'), createOrg('globex'), mint]) as [unknown, unknown, Minted]
  const named = parseTokenId(minted.id)
  run(db, [{ kind: 'token.revoke', actor: ACTOR, ...named, expiresAt: 7, recorded: true, reason: 'lost' }])
  const state = loadState(db, [KEK], systemEntropy)
  expect([...state.orgs.keys()]).toEqual(['acme', 'globex'])
  expect(state).toMatchObject({ cluster: 'test', epoch: 1, keyGeneration: 2, revocationSeq: 1, audit: { seq: 5 } })
  expect(state.keys.get(named.kid)).toMatchObject({ org: 'acme', generation: 1, state: 'active' })
  expect(new RevocationLog(db).after(0, 10)).toEqual([{ seq: 1, kind: 'token', ...named, expiresAt: 7 }])
  expect(new RevocationLog(db).after(1, 10)).toEqual([])
  expect(new MetaReader(db).read()).toMatchObject({ txid: 3, issueClockMs: minted.issuedAtMs })
  expect(readOrgs(db).map(({ name }) => name)).toEqual(['acme', 'globex'])
})

test('after a restart the issue clock goes on later than where it was', () => {
  const db = database()
  const [, first] = run(db, [createOrg('acme'), mint]) as [unknown, Minted]
  db.prepare('UPDATE meta SET issue_clock_ms = ?').run(first.issuedAtMs + 100_000)
  const [second] = run(db, [mint]) as [Minted]
  expect(second.issuedAtMs).toBeGreaterThan(first.issuedAtMs + 100_000)
})

test('every mint on record is found by its id, and nothing else is', () => {
  const db = database()
  run(db, [createOrg('acme')])
  const ids = Array.from({ length: 4 }, () => run(db, Array<Command>(40).fill(mint)) as Minted[]).flat()
  const issued = new IssuedLog(db)
  for (const { id, expiresAt } of ids) {
    const { kid, nonce } = parseTokenId(id)
    expect(issued.find(kid, nonce)).toEqual({ kid, subject: 'ümläut', expiresAt })
  }
  const { kid } = parseTokenId(ids[0]?.id ?? tokenId('' as never, '' as never))
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      expect(issued.find(kid, Buffer.from(bytes).toString('hex') as Nonce)).toBeUndefined()
    }),
  )
  // The leading rows leave after their retention: what is left is found all the same.
  db.exec('DELETE FROM issued WHERE seq < 100')
  expect(issued.find(kid, parseTokenId(ids[10]?.id ?? '').nonce)).toBeUndefined()
  expect(issued.find(kid, parseTokenId(ids.at(-1)?.id ?? '').nonce)).toBeDefined()
})

test('an empty log finds nothing', () => {
  const db = database()
  expect(new IssuedLog(db).find('1'.repeat(16) as never, '2'.repeat(32) as never)).toBeUndefined()
})

test('a sealed key that was moved to another org opens nowhere', () => {
  const db = database()
  run(db, [createOrg('acme'), createOrg('globex')])
  expect(new KeyReader(db).read([KEK], 'test').keys).toHaveLength(2)
  db.exec(`UPDATE root_keys SET sealed_secret = (SELECT sealed_secret FROM root_keys WHERE org = 'acme')`)
  const { keys, unopened } = new KeyReader(db).read([KEK], 'test')
  expect([keys.map(({ org }) => org), unopened.map(({ org, error }) => [org, error.code])]).toEqual([
    ['acme'],
    [['globex', 'kek_wrong']],
  ])
  expect(codeOf(() => loadState(db, [KEK], systemEntropy))).toBe('kek_wrong')
})

test('a reader goes on with a key that it has opened, and says so if it cannot open it again', () => {
  const db = database()
  run(db, [createOrg('acme')])
  const opened: OpenedKeys = new Map()
  const [before] = new KeyReader(db, opened).read([KEK], 'test').keys
  // The same bytes are not opened again, so that even without a KEK at hand they are still known.
  expect(new KeyReader(db, opened).read([], 'test')).toMatchObject({ stale: [], unopened: [] })
  db.exec(`UPDATE root_keys SET sealed_secret = zeroblob(61)`)
  const { keys, stale, unopened } = new KeyReader(db, opened).read([KEK], 'test')
  expect([keys[0]?.derivedKey, stale.length, unopened.length]).toEqual([before?.derivedKey, 1, 0])
  expect(new KeyReader(db).read([KEK], 'test')).toMatchObject({ keys: [], unopened: [{ org: 'acme' }] })
})

test('another KEK, or another cluster’s name, opens neither root keys nor the signing key', () => {
  const db = database()
  run(db, [createOrg('acme')])
  const other = kekFromHex('cd'.repeat(32))
  for (const [ring, cluster] of [
    [[other], 'test'],
    [[], 'test'],
    [[KEK], 'other'],
  ] as const) {
    expect(new KeyReader(db).read(ring, cluster)).toMatchObject({ keys: [], unopened: [{ org: 'acme' }] })
    expect(codeOf(() => readSigningKey(db, ring, cluster))).toBe('kek_wrong')
  }
})

test('the signing key signs what its public half verifies', () => {
  const db = database()
  const { publicKey, privateKey } = readSigningKey(db, [other(), KEK], 'test')
  const message = Buffer.from('position')
  expect(ed25519Verify(publicKey, message, ed25519Sign(privateKey, message))).toBe(true)
})

function other(): Kek {
  return kekFromHex('cd'.repeat(32))
}

test('a database of another cluster, of a newer schema, or without meta row has its error code', () => {
  const db = database()
  const meta = new MetaReader(db).read()
  expect(codeOf(() => checkMeta(meta, 'test', 'x.db'))).toBe('no error')
  expect(codeOf(() => checkMeta(meta, 'other', 'x.db'))).toBe('wrong_cluster')
  expect(codeOf(() => checkMeta({ ...meta, schema: meta.schema + 1 }, 'test', 'x.db'))).toBe('schema_newer')
  db.exec('DELETE FROM meta')
  expect(codeOf(() => new MetaReader(db).read())).toBe('database_corrupt')
})

test('third parties and revocations come back from the database; removed third parties do not', () => {
  const db = database()
  const [, first] = run(db, [
    createOrg('acme'),
    { kind: 'third-party.add', actor: ACTOR, name: 'store', unrevoked: true },
    { kind: 'third-party.add', actor: ACTOR, name: 'gone', unrevoked: false },
    mint,
  ]) as [unknown, ThirdPartyAdded]
  run(db, [{ kind: 'third-party.remove', actor: ACTOR, name: 'gone' }])
  const [minted] = run(db, [mint]) as [Minted]
  const named = parseTokenId(minted.id)
  run(db, [{ kind: 'token.revoke', actor: ACTOR, ...named, expiresAt: 7, recorded: true, reason: '' }])
  const { thirdParties, revocations } = loadState(db, [KEK], systemEntropy)
  expect([...thirdParties.keys()]).toEqual(['store'])
  const { publicKey, privateKey, unrevoked } = thirdParties.get('store') ?? {}
  expect(Buffer.from(publicKey ?? []).toString('hex')).toBe(first.publicKey)
  expect(x25519PublicKey(privateKey ?? new Uint8Array(32))).toEqual(publicKey)
  expect(unrevoked).toBe(true)
  expect(revocations.revoked(named.kid, named.nonce)).toBe(true)
  expect(revocations.size).toBe(1)
})

test('a database of a schema that was never released is refused, and told apart from a newer one', () => {
  const meta = new MetaReader(database()).read()
  expect(codeOf(() => checkMeta({ ...meta, schema: 3 }, 'test', 'it'))).toBe('schema_older')
  expect(codeOf(() => checkMeta({ ...meta, schema: meta.schema + 1 }, 'test', 'it'))).toBe('schema_newer')
})

const TOKENS = { count: 0, complete: true }
const why = { actor: ACTOR, reason: '', tokens: TOKENS }

function keyOf(db: Database, org: string): Kid {
  return loadState(db, [KEK], systemEntropy).orgs.get(org)?.activeKid as Kid
}

test('revocations of every kind, and what they change, come back from the database', () => {
  const db = database()
  const [, , minted] = run(db, [createOrg('acme'), createOrg('globex'), mint]) as [unknown, unknown, Minted]
  const { kid } = parseTokenId(minted.id)
  run(db, [
    { kind: 'issued.revoke', org: 'acme', subject: 'ümläut', untilMs: undefined, ...why },
    { kind: 'issued.revoke', org: 'acme', subject: undefined, untilMs: 5, ...why },
    { kind: 'key.rotate', actor: ACTOR, org: 'acme' },
    { kind: 'key.retire', org: 'acme', kid, ...why },
    { kind: 'org.disable', org: 'globex', ...why },
  ])
  const rows = new RevocationLog(db).after(0, 10)
  expect(rows.map(({ kind }) => kind)).toEqual(['subject', 'org', 'key', 'org_disabled'])
  const { orgs, keys, revocations, issue } = loadState(db, [KEK], systemEntropy)
  expect([keys.get(kid)?.state, orgs.get('acme')?.state, orgs.get('globex')?.state]).toEqual([
    'retired',
    'active',
    'disabled',
  ])
  expect(orgs.get('acme')?.activeKid).not.toBe(kid)
  expect(revocations.cutOffs.size).toBe(4)
  expect(revocations.cutOffs.refusalOf(parseTokenId(minted.id), 'globex', undefined)).toBe('org_disabled')
  expect(issue.lastMs).toBeGreaterThanOrEqual(minted.issuedAtMs)
})

test('an org without an active key does not break the database, and a disabled one stays', () => {
  const db = database()
  run(db, [createOrg('acme'), createOrg('globex')])
  run(db, [
    { kind: 'key.retire', org: 'acme', kid: keyOf(db, 'acme'), ...why },
    { kind: 'key.retire', org: 'globex', kid: keyOf(db, 'globex'), ...why },
    { kind: 'org.disable', org: 'globex', ...why },
  ])
  const { orgs } = loadState(db, [KEK], systemEntropy)
  expect([...orgs.values()].map(({ name, state, activeKid }) => [name, state, activeKid])).toEqual([
    ['acme', 'active', undefined],
    ['globex', 'disabled', undefined],
  ])
})

test('a revocation that a restore brought along stands above the older rows of keys and orgs', () => {
  const db = database()
  run(db, [createOrg('acme'), createOrg('globex')])
  const kid = keyOf(db, 'acme')
  run(db, [
    { kind: 'key.retire', org: 'acme', kid, ...why },
    { kind: 'org.disable', org: 'globex', ...why },
  ])
  db.exec("UPDATE root_keys SET state = 'active'; UPDATE orgs SET state = 'active'")
  const { orgs, keys } = loadState(db, [KEK], systemEntropy)
  expect([keys.get(kid)?.state, orgs.get('acme')?.activeKid, orgs.get('globex')?.state]).toEqual([
    'retired',
    undefined,
    'disabled',
  ])
})

test('a primary does not start on a revocation that it does not understand', () => {
  const db = database()
  db.exec(
    "INSERT INTO revocations VALUES (1, 'device', 'acme', x'00', 0, 0, 'somebody', ''); UPDATE meta SET revocation_seq = 1",
  )
  expect(codeOf(() => loadState(db, [KEK], systemEntropy))).toBe('schema_newer')
})

test('only revocations after the known ones are read, also of transactions that seemed to fail', () => {
  const db = database()
  const [, first, second] = run(db, [createOrg('acme'), mint, mint]) as [unknown, Minted, Minted]
  const revoke = ({ id }: Minted): Command => {
    return { kind: 'token.revoke', actor: ACTOR, ...parseTokenId(id), expiresAt: 0, recorded: true, reason: '' }
  }
  run(db, [revoke(first)])
  const { revocations, newestSeqs } = loadState(db, [KEK], systemEntropy)
  run(db, [revoke(second)])
  // As if it were read no more: what is known is taken over as it is.
  db.exec('DELETE FROM revocations WHERE seq = 1')
  const state = loadState(db, [KEK], systemEntropy, { revocations, newestSeqs, seq: 1 })
  expect(state.revocations).toBe(revocations)
  expect(newestSeqOf(state, 'acme')).toBe(2)
  for (const { id } of [first, second])
    expect(revocations.revoked(parseTokenId(id).kid, parseTokenId(id).nonce)).toBe(true)
})

test('the answers of requests come back from the database, in their order', () => {
  const db = database()
  run(db, [createOrg('acme')])
  const rotate = (id: string): Command => ({
    kind: 'key.rotate',
    actor: ACTOR,
    org: 'acme',
    request: { id, digest: 'd' },
  })
  const [first] = run(db, [rotate('b'), rotate('a')])
  const { requests, requestSeq, txid } = loadState(db, [KEK], systemEntropy)
  expect([...requests.keys()]).toEqual(['b', 'a'])
  expect([requestSeq, requests.get('b')?.txid, txid]).toEqual([2, 3, 3])
  expect(run(db, [rotate('b')])).toEqual([first])
})

test('rotating the key-encryption key seals everything again, and the old one opens nothing', () => {
  const db = database()
  run(db, [createOrg('acme'), { kind: 'third-party.add', actor: ACTOR, name: 'store', unrevoked: false }])
  const before = loadState(db, [KEK], systemEntropy)
  const rotate = (): unknown => {
    const state = loadState(db, [other(), KEK], systemEntropy)
    const rows = new RowWriter(db)
    const command = { kind: 'kek.rotate', actor: ACTOR, replicasWithout: () => [] } as const
    const ring = [other(), KEK]
    const outcome = step(state, command, {
      ...momentNow(),
      entropy: systemEntropy,
      ring,
      unrecorded: new UnrecordedRate(systemClock),
    })
    for (const row of outcome.rows) rows.write(row)
    rows.bump(state)
    return outcome.answer
  }
  expect(rotate()).toEqual({ kek: other().id, resealed: 3 })
  const after = loadState(db, [other()], systemEntropy)
  expect([...after.keys.values()].map(({ derivedKey }) => derivedKey)).toEqual(
    [...before.keys.values()].map(({ derivedKey }) => derivedKey),
  )
  expect(after.thirdParties.get('store')?.privateKey).toEqual(before.thirdParties.get('store')?.privateKey)
  expect(readSigningKey(db, [other()], 'test').publicKey).toEqual(readSigningKey(db, [other(), KEK], 'test').publicKey)
  expect(after.keyGeneration).toBe(before.keyGeneration + 1)
  expect(codeOf(() => loadState(db, [KEK], systemEntropy))).toBe('kek_wrong')
  expect(rotate()).toEqual({ kek: other().id, resealed: 0 })
})

test('a third party whose keys do not match is out of service, and no other one is', () => {
  const db = database()
  const add = (name: string): Command => ({ kind: 'third-party.add', actor: ACTOR, name, unrevoked: false })
  run(db, [createOrg('acme'), add('store'), add('other'), add('third')])
  const sealed = 'SELECT sealed_private_key FROM third_parties WHERE name ='
  // As a rotation wrote it that had read the key of before; and one that opens nowhere.
  const key = seal(KEK, thirdPartyContext('test', 'store'), Buffer.alloc(32, 7), systemEntropy)
  db.prepare("UPDATE third_parties SET sealed_private_key = ? WHERE name = 'store'").run(key)
  db.exec(`UPDATE third_parties SET sealed_private_key = (${sealed} 'store') WHERE name = 'other'`)
  const all = [...loadState(db, [KEK], systemEntropy).thirdParties.values()]
  expect(all.map(({ name, privateKey, fault }) => [name, privateKey !== undefined, fault !== undefined])).toEqual([
    ['other', false, true],
    ['store', false, true],
    ['third', true, false],
  ])
})

test('a signing key whose halves do not match is refused at once', () => {
  const db = database()
  const sealed = seal(KEK, signingKeyContext('test'), Buffer.alloc(32, 7), systemEntropy)
  db.prepare('UPDATE signing_keys SET sealed_private_key = ?').run(sealed)
  expect(codeOf(() => readSigningKey(db, [KEK], 'test'))).toBe('database_corrupt')
})

test('a mint is later than every cut-off that a restore brought along, whatever the clocks say', () => {
  const db = database()
  run(db, [createOrg('acme')])
  const untilMs = Date.now() + 60_000
  const key = keyOfRow({ kind: 'org', org: 'acme', untilMs, seq: 1, expiresAt: 0 })
  db.prepare("INSERT INTO revocations VALUES (1, 'org', 'acme', ?, 0, 0, 'somebody', '')").run(key)
  db.exec('UPDATE meta SET revocation_seq = 1')
  const [minted] = run(db, [mint]) as [Minted]
  expect(minted.issuedAtMs).toBeGreaterThan(untilMs)
})
