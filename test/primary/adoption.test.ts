/** The denials that a primary adopts on a replica's report, those that it leaves to an operator, and the operator's commands. */
import Sqlite from 'better-sqlite3'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Adoption } from '../../primary/adoption/adoption.ts'
import { Reports } from '../../primary/adoption/reports.ts'
import { judgeDenial } from '../../primary/authority/adopt.ts'
import { PendingApi } from '../../primary/api/pending-api.ts'
import type { Command, Minted } from '../../primary/authority/commands.ts'
import type { GroupWriter } from '../../primary/commit-log/group-writer.ts'
import type { Durability } from '../../primary/durability/durability.ts'
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { pause, systemClock } from '../../shared/clock.ts'
import { MIGRATE_4_TO_5 } from '../../shared/database/schema.ts'
import { insertUnsigned, UnsignedReader } from '../../shared/database/unsigned.ts'
import { epoch, parseTokenId, timeline, txid } from '../../shared/ids.ts'
import { ADOPTED_MAX, DENIALS_REPORTED_CHARS_MAX, DENIALS_REPORTED_MAX } from '../../shared/limits.ts'
import { silentLog } from '../../shared/log.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { columnsOfRow, type Denial } from '../../shared/protocol/denials.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import { ACTOR, Authority, NOW_MS } from './authority/fixture.ts'

const UNDONE = timeline('b'.repeat(32))
const OTHER = timeline('c'.repeat(32))
const KID = '7'.repeat(16)
const common = { seq: 1, expiresAt: 0 }

function token(number: number, expiresAt = 0): KnownRevocation {
  return { seq: number, kind: 'token', kid: KID, nonce: number.toString(16).padStart(32, '0'), expiresAt }
}

function denial(row: KnownRevocation, seq = row.seq, of = UNDONE): Denial {
  return { timeline: of, epoch: epoch(1), seq, columns: columnsOfRow(row, 'acme') }
}

let authority: Authority

beforeEach(() => {
  authority = new Authority()
  authority.createOrg('acme')
  authority.mint()
})

const isOf = (row: KnownRevocation): string => {
  const judged = judgeDenial(authority.state, denial(row))
  return judged.is === 'waiting' ? judged.why : judged.is
}

const adopt = (denials: readonly Denial[], from?: string): unknown =>
  authority.do({ kind: 'revocations.adopt', actor: ACTOR, denials, from }).answer

describe('a denial that a replica reports', () => {
  test('is adopted on its word alone if it names one token, or a subject up to a past time', () => {
    const nowMs = authority.state.issue.lastMs
    const subject = { ...common, kind: 'subject', org: 'acme', subject: 'mallory' } as const
    expect(isOf(token(1))).toBe('adoptable')
    expect(isOf({ ...subject, untilMs: nowMs })).toBe('adoptable')
    expect(isOf({ ...subject, untilMs: nowMs + 1 })).toBe('later than the issue clock')
    expect(isOf({ ...common, kind: 'org', org: 'acme', untilMs: nowMs })).toBe('kind')
    expect(isOf({ ...common, kind: 'key', org: 'acme', kid: KID })).toBe('kind')
    expect(isOf({ ...common, kind: 'org_disabled', org: 'acme' })).toBe('kind')
  })

  test('is ignored if it is already held, covered, outlived, or given up', () => {
    const { id } = authority.mint().answer as Minted
    const { kid, nonce } = parseTokenId(id)
    const own: KnownRevocation = { ...common, kind: 'token', kid, nonce }
    expect(isOf(own)).toBe('adoptable')
    authority.do({
      kind: 'issued.revoke',
      actor: ACTOR,
      org: 'acme',
      subject: undefined,
      untilMs: undefined,
      reason: '',
    })
    expect(isOf(own)).toBe('resolved')
    const untilMs = authority.state.issue.lastMs
    expect(isOf({ ...common, kind: 'subject', org: 'acme', subject: 'x', untilMs })).toBe('resolved')
    expect(isOf(token(1, 1_000))).toBe('resolved')
    adopt([denial(token(2))])
    expect(isOf(token(2))).toBe('resolved')
    const ranges = [{ timeline: UNDONE, first: 5, last: 6 }]
    authority.do({ kind: 'revocations.forget', actor: ACTOR, ranges, reason: '' })
    expect([4, 5, 6, 7].map((number) => isOf(token(number)))).toEqual([
      'adoptable',
      'resolved',
      'resolved',
      'adoptable',
    ])
    expect(judgeDenial(authority.state, denial(token(5), 5, OTHER)).is).toBe('adoptable')
  })

  test('waits after a restore without revocations, unless the history began later', () => {
    const state = { ...authority.state, withoutRevocationsEpoch: 3, epochs: new Map([[OTHER, 3]]) }
    const why = 'restored without revocations'
    expect(judgeDenial(state, denial(token(1)))).toMatchObject({ is: 'waiting', why })
    expect(judgeDenial(state, denial(token(1), 1, OTHER))).toMatchObject({ is: 'adoptable' })
  })
})

describe('an operator', () => {
  test('adopts every kind, with what it says of keys and orgs, and no cut-off of the future', () => {
    const kid = [...authority.state.keys.keys()][0] ?? ''
    const rows: KnownRevocation[] = [
      { ...common, seq: 1, kind: 'key', org: 'acme', kid },
      { ...common, seq: 2, kind: 'subject', org: 'acme', subject: 'x', untilMs: NOW_MS + 60_000 },
      { ...common, seq: 3, kind: 'org_disabled', org: 'acme' },
    ]
    expect(adopt(rows.map((row) => denial(row)))).toEqual({ adopted: 2, seq: 2 })
    expect(authority.state.keys.get(kid as never)?.state).toBe('retired')
    expect(authority.state.orgs.get('acme')?.state).toBe('disabled')
    const audit = authority.rows.findLast(({ table }) => table === 'audit')
    expect(audit?.row).toMatchObject({ action: 'revocations.adopt', target: '1-2', actor: ACTOR.text })
  })

  test('gives up numbers of an undone history, never of the current one, and records no token', () => {
    const forget = (of: string): unknown =>
      authority.do({
        kind: 'revocations.forget',
        actor: ACTOR,
        ranges: [{ timeline: of, first: 2, last: 3 }],
        reason: 'on purpose',
      }).answer
    expect(() => forget(authority.state.timeline)).toThrow(expect.objectContaining({ code: 'request_invalid' }))
    const before = authority.rows.length
    expect(forget(UNDONE)).toEqual({ ranges: 1 })
    const rows = authority.rows.slice(before)
    expect(rows.map(({ table }) => table)).toEqual(['forgotten', 'audit'])
    expect(JSON.stringify(rows)).not.toContain(KID)
  })

  test('gives up nothing while a primary of an earlier epoch may still acknowledge revocations', () => {
    const ranges = [{ timeline: UNDONE, first: 2, last: 3 }]
    const forget = (): unknown => authority.do({ kind: 'revocations.forget', actor: ACTOR, ranges, reason: '' }).answer
    authority.state.settledEpoch = 0
    const before = authority.rows.length
    expect(forget).toThrow(expect.objectContaining({ code: 'epoch_unsettled' }))
    expect([authority.rows.length, authority.state.forgotten.has({ timeline: UNDONE, seq: 2 })]).toEqual([
      before,
      false,
    ])
    authority.do({ kind: 'epoch.settle', actor: ACTOR, because: 'every replica joined' })
    expect(forget()).toEqual({ ranges: 1 })
  })
})

test('a transaction of one replica’s denials ends at the limit of its epoch', () => {
  const lies = Array.from({ length: ADOPTED_MAX + 30 }, (_, index) => denial(token(index + 1)))
  expect(adopt(lies, 'P1')).toEqual({ adopted: ADOPTED_MAX, seq: ADOPTED_MAX })
  expect(adopt(lies, 'P1')).toMatchObject({ adopted: 0 })
  expect(adopt(lies, 'P2')).toMatchObject({ adopted: 30 })
})

const NONE = { part: { denials: [], remaining: 0 }, next: () => false }

function adoption(onLook = (): void => undefined, onSubmit = (_: Command): void => undefined): Adoption {
  const submit = async (command: Command): Promise<never> => {
    await Promise.resolve()
    onSubmit(command)
    return { answer: authority.do(command).answer, position: { epoch: 1, txid: txid(1), checksum: 0n } } as never
  }
  const replicas = new Map([
    ['P1', 'fra'],
    ['P2', 'sin'],
  ])
  const options = { state: () => authority.state, submit: submit as never, writesOpen: () => true, unsigned: NONE }
  const looked = (): typeof replicas => {
    onLook()
    return replicas
  }
  return new Adoption({ ...options, replicas: looked, clock: systemClock, log: silentLog })
}

const told = (denials: readonly Denial[], first = true, last = true, total = denials.length): never =>
  ({ t: 'denials', total, first, last, denials }) as never

test('one replica can revoke at most a thousand tokens in an epoch; another has its own quota', async () => {
  const parts = adoption()
  const lies = Array.from({ length: ADOPTED_MAX + 30 }, (_, index) => denial(token(index + 1)))
  parts.reported('P1', told(lies))
  await pause(systemClock, 50)
  expect(authority.state.revocationSeq).toBe(ADOPTED_MAX)
  expect(parts.waiting.map(({ why }) => why)).toEqual(Array(30).fill('too many'))
  expect(authority.rows.findLast(({ table }) => table === 'adoptions')?.row).toMatchObject({ revocations: ADOPTED_MAX })
  parts.reported('P2', told(lies.slice(-3)))
  await vi.waitFor(() => expect(authority.state.revocationSeq).toBe(ADOPTED_MAX + 3))
  expect(parts.counts).toEqual(
    new Map([
      ['P1', 27],
      ['P2', 0],
    ]),
  )
})

test('a replica whose denials cannot be written keeps no other replica waiting', async () => {
  const parts = adoption(undefined, (command) => {
    if (command.kind === 'revocations.adopt' && command.from === 'P1') throw new Error('refused')
  })
  parts.reported('P1', told([denial(token(1))]))
  parts.reported('P2', told([denial(token(2))]))
  await vi.waitFor(() => expect(authority.state.revocationSeq).toBe(1))
  expect(authority.state.adopted).toEqual(new Map([['P2', 1]]))
})

test('a denial that waits for the issue clock is adopted once tokens were minted after it', async () => {
  const parts = adoption()
  const untilMs = NOW_MS + 5_000
  parts.reported('P1', told([denial({ ...common, kind: 'subject', org: 'acme', subject: 'x', untilMs })]))
  await pause(systemClock, 20)
  expect(parts.waiting).toMatchObject([{ why: 'later than the issue clock', from: ['P1'] }])
  authority.state.issue = resumeNonces(untilMs)
  parts.reassess()
  await pause(systemClock, 20)
  expect([authority.state.revocationSeq, parts.waiting.length]).toEqual([1, 0])
})

test('a list of a replica counts once it is whole, and no more is kept of it than is listened to', () => {
  const reports = new Reports()
  const some = Array.from({ length: 500 }, (_, index) => denial(token(index + 1)))
  expect(reports.take('P1', { first: true, last: false, total: 1_000, denials: some })).toBe(false)
  expect(reports.all.flatMap(({ denials }) => denials)).toEqual([])
  expect(reports.take('P1', { first: false, last: true, total: 1_000, denials: some.slice(0, 5) })).toBe(true)
  expect(reports.all).toMatchObject([{ from: 'P1', unlisted: 495 }])
  for (let sent = 0; sent <= DENIALS_REPORTED_MAX; sent += 500)
    reports.take('P1', { first: sent === 0, last: false, total: 50_000, denials: some })
  reports.take('P1', { first: false, last: true, total: 50_000, denials: [] })
  expect(reports.all).toMatchObject([{ unlisted: 50_000 - DENIALS_REPORTED_MAX }])
  reports.keepOnly(new Set(['P2']))
  expect(reports.all).toEqual([])
})

test('rows that are far too long are not kept, however many of them a replica sends', () => {
  const reports = new Reports()
  const reason = 'x'.repeat(900_000)
  const long = { ...denial(token(1)), columns: { ...denial(token(1)).columns, reason } }
  for (let sent = 0; sent < 100; sent += 1)
    reports.take('P1', { first: sent === 0, last: sent === 99, total: 100, denials: [long] })
  const [report] = reports.all
  expect((report?.denials.length ?? 0) * reason.length).toBeLessThan(DENIALS_REPORTED_CHARS_MAX)
  expect(report?.unlisted).toBeGreaterThan(0)
})

test('a replica that reports again and again is judged once, and once more after a pause', async () => {
  const looks = vi.fn<() => void>()
  const parts = adoption(looks)
  for (let again = 0; again < 100; again += 1) parts.reported('P1', told([]))
  expect(looks).toHaveBeenCalledTimes(1)
  await vi.waitFor(() => expect(looks).toHaveBeenCalledTimes(2))
})

describe('an adopted token', () => {
  const rowOf = (): unknown => authority.rows.findLast(({ table }) => table === 'revocations')?.row

  test('is denied for ever, whatever expiry a replica reports: an early one would purge too soon', () => {
    const soon = Math.floor(NOW_MS / 1000)
    adopt([denial(token(1, soon))], 'P1')
    expect(rowOf()).toMatchObject({ revocation: { kind: 'token', expiresAt: 0 } })
    adopt([denial(token(2, soon))])
    expect(rowOf()).toMatchObject({ revocation: { kind: 'token', expiresAt: 0 } })
  })

  test('is denied until it ends where its mint is on record', () => {
    const { id } = authority.mint().answer as Minted
    const { kid, nonce } = parseTokenId(id)
    const row: KnownRevocation = { ...common, kind: 'token', kid, nonce, expiresAt: 9_999_999_999 }
    const expiries = new Map([[id, 4_000_000_000]])
    authority.do({ kind: 'revocations.adopt', actor: ACTOR, denials: [denial(row)], expiries, from: 'P1' })
    expect(rowOf()).toMatchObject({ revocation: { expiresAt: 4_000_000_000 } })
  })

  test('from a row that no table takes is denied too, so its replica delays no write', () => {
    for (const [index, end] of [1.5, 1.5e300, -1, 2 ** 60].entries()) {
      const broken = denial(token(index + 1))
      adopt([{ ...broken, columns: { ...broken.columns, expires_at: end } }], 'P1')
      expect(rowOf()).toMatchObject({ revocation: { seq: index + 1, expiresAt: 0 } })
    }
  })
})

test('a denial that a restore found without a signature is never adopted by itself', async () => {
  const db = new Sqlite(':memory:')
  db.exec('CREATE TABLE meta (one INTEGER); CREATE TABLE epochs (epoch INTEGER);' + MIGRATE_4_TO_5)
  insertUnsigned(
    db,
    [9, 10, 11].map((number) => denial(token(number))),
  )
  const unsigned = new UnsignedReader(db, 5, 2)
  expect(unsigned.part).toEqual({ denials: [9, 10].map((number) => denial(token(number))), remaining: 1 })
  const options = { state: () => authority.state, writesOpen: () => true, clock: systemClock, log: silentLog }
  const submit = (): never => {
    throw new Error('nothing is adopted')
  }
  const parts = new Adoption({ ...options, submit, replicas: () => new Map(), unsigned })
  parts.reassess()
  await pause(systemClock, 10)
  const why = { why: 'unsigned', from: ['restore'] }
  expect(parts.waiting).toMatchObject([why, why])
  expect(parts.counts).toEqual(new Map([['restore', 3]]))
  // The next ones are shown once these are decided on.
  adopt(unsigned.part.denials)
  parts.reassess()
  expect(parts.waiting).toMatchObject([{ ...why, denial: { seq: 11 } }])
  adopt(unsigned.part.denials)
  parts.reassess()
  expect([parts.waiting, parts.counts]).toEqual([[], new Map()])
})

test('a read error while denials are judged ends nothing: the same rows are read next', async () => {
  const db = new Sqlite(':memory:')
  db.exec('CREATE TABLE meta (one INTEGER); CREATE TABLE epochs (epoch INTEGER);' + MIGRATE_4_TO_5)
  insertUnsigned(
    db,
    [9, 10].map((number) => denial(token(number))),
  )
  const unsigned = new UnsignedReader(db, 5, 1)
  adopt(unsigned.part.denials)
  const options = { state: () => authority.state, writesOpen: () => true, clock: systemClock, log: silentLog }
  const submit = (): never => {
    throw new Error('nothing is adopted')
  }
  const parts = new Adoption({ ...options, submit, replicas: () => new Map(), unsigned })
  db.exec('ALTER TABLE unsigned_revocations RENAME TO away')
  parts.reassess()
  await pause(systemClock, 10)
  expect(parts.waiting).toEqual([])
  db.exec('ALTER TABLE away RENAME TO unsigned_revocations')
  parts.reassess()
  expect(parts.waiting).toMatchObject([{ why: 'unsigned', denial: { seq: 10 } }])
})

describe('a number that two replicas report', () => {
  const one = { ...common, kind: 'key', org: 'acme', kid: KID } as const
  const other = { ...one, kid: '8'.repeat(16) }

  test('is shown with each thing that it denies there: a lie hides nothing', () => {
    const parts = adoption()
    parts.reported('P1', told([denial(one)]))
    parts.reported('P2', told([denial(other)]))
    parts.reassess()
    expect(parts.waiting.map(({ row, from }) => [row?.kind === 'key' ? row.kid : '', from])).toEqual([
      [KID, ['P1']],
      [other.kid, ['P2']],
    ])
  })

  test('waits behind those that can be adopted, if nobody can adopt it', async () => {
    const parts = adoption()
    const unknown = Array.from({ length: 500 }, (_, index): Denial => {
      const broken = denial(one, index + 1)
      return { ...broken, columns: { ...broken.columns, kind: 'something newer' } }
    })
    parts.reported('P1', told([...unknown, denial(one, 501)]))
    parts.reassess()
    const asked: Command[] = []
    const submit = (command: Command): Promise<object> => {
      asked.push(command)
      return Promise.resolve({ answer: { adopted: 1, seq: 0 }, position: { epoch: 1, txid: txid(1), checksum: 0n } })
    }
    const writer = { state: authority.state, submit } as unknown as GroupWriter
    const durability = { reach: () => Promise.resolve({}) } as unknown as Durability
    const api = new PendingApi({ writer, adoption: parts, durability, replicas: () => [] })
    const operator = { id: 'O', name: 'op', role: 'operator' } as unknown as KnownPeer
    await api.adopt(operator, {})
    const [command] = asked
    const seqs = command?.kind === 'revocations.adopt' ? command.denials.map(({ seq }) => seq) : []
    expect([seqs.length, seqs[0]]).toEqual([500, 501])
  })

  test('is given up once, and a replica’s report of the current history blocks nothing else', async () => {
    const parts = adoption()
    parts.reported('P1', told([denial(one), denial(one, 2), denial(other, 4)]))
    parts.reported('P2', told([denial(other), denial(one, 1, timeline(authority.state.timeline))]))
    parts.reassess()
    const asked: Command[] = []
    const submit = (command: Command): Promise<object> => {
      asked.push(command)
      return Promise.resolve({ position: { epoch: 1, txid: txid(1), checksum: 0n } })
    }
    const writer = { state: authority.state, submit } as unknown as GroupWriter
    const api = new PendingApi({ writer, adoption: parts, durability: {} as Durability, replicas: () => [] })
    const operator = { id: 'O', name: 'op', role: 'operator' } as unknown as KnownPeer
    await api.forget(operator, { reason: '' })
    const ranges = [
      { timeline: UNDONE, first: 1, last: 2 },
      { timeline: UNDONE, first: 4, last: 4 },
    ]
    expect(asked).toMatchObject([{ kind: 'revocations.forget', ranges }])
  })
})
