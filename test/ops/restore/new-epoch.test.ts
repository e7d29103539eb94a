/** The first numbers of a restored epoch: none of its transactions has a number that another transaction may have. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { carryOver } from '../../../ops/restore/carry-over.ts'
import { type Evidence, evidenceOfDatabase } from '../../../ops/restore/evidence.ts'
import { beginEpoch } from '../../../ops/restore/new-epoch.ts'
import { TIME_OF_REQUEST } from '../../../primary/authority/due-cut-offs.ts'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import type { DueCutOff } from '../../../primary/authority/rows.ts'
import { readDueCutOffs } from '../../../primary/store/due-cut-offs.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { readRevocationColumns } from '../../../shared/database/revocation-columns.ts'
import { SCHEMA_VERSION } from '../../../shared/database/schema.ts'
import { insertUnsigned, readUnsigned, UnsignedReader } from '../../../shared/database/unsigned.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import { RESTORE_TXID_JUMP } from '../../../shared/limits.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { type Database, openWritable } from '../../../shared/sqlite/open-database.ts'

function database(): Database {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-epoch-'))
  const db = openWritable(join(folder, 'macaroond.db'))
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  createAuthorityDatabase(db, {
    cluster: 'c',
    kek: kekFromHex('ab'.repeat(32)),
    clock: systemClock,
    entropy: systemEntropy,
  })
  return db
}

test.each([
  { claimed: 1, written: 1, jumps: 1 },
  { claimed: 2, written: 2, jumps: 1 },
  // A restore began epoch 2 as far after the last transaction, and nobody has seen how far it got.
  { claimed: 2, written: 1, jumps: 2 },
  { claimed: 5, written: 1, jumps: 5 },
])('with epoch $claimed claimed and $written seen it is $jumps jumps away', ({ claimed, written, jumps }) => {
  const highest = { epoch: claimed, txid: 9, written }
  const common = { evidence: [], carried: undefined, waiting: [], clock: systemClock, entropy: systemEntropy }
  const begun = beginEpoch(database(), { ...common, highest })
  expect(begun).toMatchObject({ epoch: claimed + 1, txid: 9 + jumps * RESTORE_TXID_JUMP })
})

const HIGHEST = { epoch: 1, txid: 9, written: 1 } as const
const HEAD = { from: 'the archive’s head', source: { kind: 'archive' }, signed: true } as const
const REQUESTED = { atMs: 5_000, steadyMs: undefined, actor: 'operator', reason: 'doubt' } as const
const OF_ORG = { kind: 'org', org: 'acme', untilMs: TIME_OF_REQUEST } as const
const OF_BOB = { kind: 'subject', org: 'acme', subject: 'bob', untilMs: 4_000 } as const

/** A database that owes these cut-offs, at transaction `at` of the timeline of `like`. */
function owing(due: readonly DueCutOff[], { at = 1, like }: { at?: number; like?: Database } = {}): Database {
  const db = database()
  const rows = new RowWriter(db)
  for (const [index, cutOff] of due.entries())
    rows.write({ table: 'due_cut_offs', row: { seq: index + 1, cutOff, ...REQUESTED } })
  const line = new MetaReader(like ?? db).read().timeline
  db.prepare('UPDATE meta SET txid = ?, timeline = ?').run(at, line)
  return db
}

/** Adds a cut-off as the append of a due one writes it. */
function appended(db: Database, cutOff: DueCutOff, untilMs: number, reason: string = REQUESTED.reason): Database {
  const revocation = { ...cutOff, untilMs, seq: 1, expiresAt: 0 }
  const row = { revocation, org: cutOff.org, atMs: 9_000, actor: REQUESTED.actor, reason }
  new RowWriter(db).write({ table: 'revocations', row })
  db.prepare('UPDATE meta SET revocation_seq = 1').run()
  return db
}

function owedAfter(db: Database, others: readonly Database[] = []): readonly DueCutOff[] {
  const evidence = others.map((other) => evidenceOfDatabase(HEAD, other))
  const restored = readRevocationColumns(db, 0, -1).map(({ columns }) => columns)
  const carried = carryOver(restored, evidence)
  const common = { waiting: [], clock: systemClock, entropy: systemEntropy, highest: HIGHEST }
  const { owed } = beginEpoch(db, { evidence, carried, ...common })
  const due = readDueCutOffs(db, SCHEMA_VERSION).map(({ cutOff }) => cutOff)
  expect(due).toHaveLength(owed)
  return due
}

describe('a cut-off that a state owes', () => {
  test('stays due in the restored database: only a believed clock can tell the time of its request', () => {
    expect(owedAfter(owing([OF_ORG, OF_BOB]))).toEqual([OF_ORG, OF_BOB])
  })

  test('is carried from a newer state, which requested it after the restored time', () => {
    const restored = owing([])
    expect(owedAfter(restored, [owing([OF_BOB], { at: 5, like: restored })])).toEqual([OF_BOB])
  })

  test('is settled where a newer state of its history lacks it', () => {
    const restored = owing([OF_ORG, OF_BOB])
    expect(owedAfter(restored, [owing([OF_ORG], { at: 5, like: restored })])).toEqual([OF_ORG])
  })

  test('is settled where another history has appended it, and by no other revocation', () => {
    expect(owedAfter(owing([OF_ORG]), [appended(owing([]), OF_ORG, 9_000)])).toEqual([])
    expect(owedAfter(owing([OF_ORG]), [appended(owing([]), OF_ORG, 9_000, 'another reason')])).toEqual([OF_ORG])
    expect(owedAfter(owing([OF_ORG]), [appended(owing([]), OF_BOB, 9_000)])).toEqual([OF_ORG])
    // The part that was in force at once reaches the last mint only.
    expect(owedAfter(appended(owing([OF_ORG]), OF_ORG, 4_999))).toEqual([OF_ORG])
  })
})

/** As one state of a history has it: third parties by name, and those that were removed by then. */
function state(at: number, parties: readonly string[], removed: readonly string[] = []): Database {
  const db = database()
  const add = db.prepare('INSERT INTO third_parties VALUES (?, ?, ?, 0, 0)')
  for (const name of parties) add.run(name, Buffer.alloc(32, name), Buffer.from('sealed'))
  const audit = db.prepare("INSERT INTO audit VALUES (?, 0, 'operator', 'third-party.remove', '', ?, '{}', x'00')")
  for (const [index, name] of removed.entries()) audit.run(100 + index, name)
  db.prepare('UPDATE meta SET txid = ?').run(at)
  return db
}

function partiesAfter(db: Database, later: Database): unknown {
  const who = { from: 'the archive’s head', source: { kind: 'archive' }, signed: true } as const
  const evidence: readonly Evidence[] = [evidenceOfDatabase(who, later)]
  const highest = { epoch: 1, txid: 9, written: 1 }
  const carried = carryOver([], evidence)
  beginEpoch(db, { evidence, highest, carried, waiting: [], clock: systemClock, entropy: systemEntropy })
  return db.prepare('SELECT name FROM third_parties ORDER BY name').pluck().all()
}

describe('a third party', () => {
  test('that was removed after the restored moment stays removed: its tickets open no more', () => {
    expect(partiesAfter(state(5, ['shop', 'mail']), state(9, ['mail'], ['shop']))).toEqual(['mail'])
    // Under the same name it has another key now.
    const again = state(9, [], ['shop'])
    again.prepare("INSERT INTO third_parties VALUES ('shop', ?, x'00', 0, 0)").run(Buffer.alloc(32, 'other'))
    expect(partiesAfter(state(5, ['shop']), again)).toEqual([])
  })

  test('stays where a later state only lacks it, or where only an older one is known', () => {
    expect(partiesAfter(state(5, ['shop']), state(9, []))).toEqual(['shop'])
    expect(partiesAfter(state(9, ['shop']), state(5, [], ['shop']))).toEqual(['shop'])
  })
})

test('unsigned revocations have numbers of no real history: giving them up gives up nothing else', () => {
  const db = database()
  const own = {
    timeline: timeline('a'.repeat(32)),
    epoch: epoch(1),
    seq: 3,
    columns: { kind: 'org_disabled', org: 'acme' },
  }
  const waiting = ['files without an entry', 'the old disk'].map((from) => ({
    from,
    revocations: [own, { ...own, seq: 4 }],
  }))
  const common = { evidence: [], carried: { revocations: [], there: 0, sources: [], alone: [] }, clock: systemClock }
  beginEpoch(db, { ...common, waiting, highest: { epoch: 1, txid: 9, written: 1 }, entropy: systemEntropy })
  const { denials } = new UnsignedReader(db, 5, 10).part
  expect(denials.map((one) => [one.epoch, one.seq])).toEqual([3, 4, 3, 4].map((seq) => [1, seq]))
  const timelines = new Set(denials.map(({ timeline }) => timeline))
  expect([timelines.size, timelines.has(own.timeline)]).toEqual([2, false])
})

test('unsigned revocations of a newer state go on waiting, each once, under their own numbers', () => {
  const one = {
    timeline: timeline('a'.repeat(32)),
    epoch: epoch(1),
    seq: 3,
    columns: { kind: 'org_disabled', org: 'acme' },
  }
  const [restored, newer] = [database(), database()]
  insertUnsigned(restored, [one])
  insertUnsigned(newer, [one, { ...one, seq: 4 }])
  const evidence = [evidenceOfDatabase(HEAD, newer)]
  const common = { carried: carryOver([], evidence), waiting: [], clock: systemClock, entropy: systemEntropy }
  beginEpoch(restored, { ...common, evidence, highest: HIGHEST })
  expect(readUnsigned(restored, SCHEMA_VERSION)).toEqual([one, { ...one, seq: 4 }])
})
