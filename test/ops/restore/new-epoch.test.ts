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
import { dueAsRevocations } from '../../../primary/store/due-cut-offs.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { RevocationLog } from '../../../shared/database/revocation-log.ts'
import { SCHEMA_VERSION } from '../../../shared/database/schema.ts'
import { UnsignedReader } from '../../../shared/database/unsigned.ts'
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

test('cut-offs that the restored state still owes reach their requested time, and are settled', () => {
  const db = database()
  const rows = new RowWriter(db)
  const asked = { atMs: 5_000, steadyMs: undefined, actor: 'operator', reason: 'doubt' }
  const [org, subject] = [
    { kind: 'org', org: 'acme', untilMs: TIME_OF_REQUEST },
    { kind: 'subject', org: 'acme', subject: 'bob', untilMs: 4_000 },
  ] as const
  rows.write({ table: 'due_cut_offs', row: { seq: 1, cutOff: org, ...asked } })
  rows.write({ table: 'due_cut_offs', row: { seq: 2, cutOff: subject, ...asked } })
  // Another place tells of the second one.
  const [, told] = dueAsRevocations(db, SCHEMA_VERSION)
  const carried = { revocations: told === undefined ? [] : [told], sources: [], alone: [] }
  const highest = { epoch: 1, txid: 9, written: 1 }
  beginEpoch(db, { evidence: [], carried, waiting: [], clock: systemClock, entropy: systemEntropy, highest })
  expect(new RevocationLog(db).after(0, 10)).toMatchObject([
    { seq: 1, kind: 'subject', subject: 'bob', untilMs: 4_000 },
    { seq: 2, kind: 'org', org: 'acme', untilMs: 5_000 },
  ])
  expect(new MetaReader(db).read().revocationSeq).toBe(2)
  expect(dueAsRevocations(db, SCHEMA_VERSION)).toEqual([])
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
  const common = { evidence: [], carried: { revocations: [], sources: [], alone: [] }, clock: systemClock }
  beginEpoch(db, { ...common, waiting, highest: { epoch: 1, txid: 9, written: 1 }, entropy: systemEntropy })
  const { denials } = new UnsignedReader(db, 5, 10).part
  expect(denials.map((one) => [one.epoch, one.seq])).toEqual([3, 4, 3, 4].map((seq) => [1, seq]))
  const timelines = new Set(denials.map(({ timeline }) => timeline))
  expect([timelines.size, timelines.has(own.timeline)]).toEqual([2, false])
})
