/** The authority while it doubts its clock (V8): it revokes by the time that it knows, and mints nothing. */
import { expect, test, vi } from 'vitest'
import { type Command, type Minted, ESSENTIAL } from '../../../primary/authority/commands.ts'
import type { OrgRevoked } from '../../../shared/protocol/revoke.ts'
import { parseTokenId } from '../../../shared/ids.ts'
import { nonceTimeMs } from '../../../shared/macaroon/nonce.ts'
import { tablesOf } from '../../../primary/authority/state.ts'
import { ACTOR, Authority } from './fixture.ts'
import { codeOf } from '../../shared/code-of.ts'

const HOUR_MS = 3_600_000
const revokeOrg = (untilMs?: number): Command => ({
  kind: 'issued.revoke',
  actor: ACTOR,
  org: 'acme',
  subject: undefined,
  untilMs,
  reason: 'doubt',
})

const again = ({ state }: Authority): Command => ({
  kind: 'cut-off.again',
  actor: ACTOR,
  name: state.dueCutOffs.keys().next().value ?? '',
})

/** An authority that has minted, and then doubts its clock, which is an hour ahead. */
function doubting(): { readonly authority: Authority; readonly minted: Minted } {
  const authority = new Authority()
  authority.createOrg('acme')
  const minted = authority.mint().answer as Minted
  authority.nowMs += 60_000
  authority.doubtedByMs = HOUR_MS
  return { authority, minted }
}

function isRevoked(authority: Authority, { kid, nonce }: ReturnType<typeof parseTokenId>): boolean {
  return tablesOf(authority.state).cutOffs.refusalOf({ kid, nonce }, 'acme', undefined) === 'revoked'
}

test('a cut-off in doubt reaches the last token minted, not the clock’s time, and says so', () => {
  const { authority, minted } = doubting()
  const answer = authority.do(revokeOrg()).answer as OrgRevoked
  expect(answer).toMatchObject({ untilMs: minted.issuedAtMs, clockInDoubt: true, already: false })
  expect(isRevoked(authority, parseTokenId(minted.id))).toBe(true)
  expect(authority.state.issue.lastMs).toBe(minted.issuedAtMs)
})

test('a cut-off is appended up to its requested time once time is believed, before any mint', () => {
  const { authority } = doubting()
  const askedMs = authority.nowMs
  authority.do(revokeOrg())
  authority.nowMs += 5_000
  authority.doubtedByMs = undefined
  expect(codeOf(() => authority.mint())).toBe('overloaded')
  const { rows } = authority.do(again(authority))
  expect(rows).toContainEqual({ table: 'due_cut_offs removed', row: { seq: 1 } })
  expect(
    authority.state.revocations.cutOffs.reach({ kind: 'org', org: 'acme', seq: 0, untilMs: 0, expiresAt: 0 }),
  ).toBe(askedMs)
  const later = authority.mint().answer as Minted
  expect(isRevoked(authority, parseTokenId(later.id))).toBe(false)
  expect(nonceTimeMs(parseTokenId(later.id).nonce)).toBeGreaterThan(askedMs)
})

test('a cut-off with a named time reaches no further than it, nor beyond the time of the request', () => {
  const { authority, minted } = doubting()
  const askedMs = authority.nowMs
  const past = authority.do(revokeOrg(minted.issuedAtMs - 1)).answer as OrgRevoked
  expect([past.untilMs, past.clockInDoubt]).toEqual([minted.issuedAtMs - 1, undefined])
  authority.do(revokeOrg(askedMs - 10_000))
  authority.do(revokeOrg(askedMs + HOUR_MS))
  authority.doubtedByMs = undefined
  authority.nowMs += 1_000
  const reaches = [1, 2].map(() => {
    authority.do(again(authority))
    return authority.state.revocations.cutOffs.latestMs
  })
  expect(reaches).toEqual([askedMs - 10_000, askedMs])
})

test('a later process does not know how old the request is, and reaches up to its own time', () => {
  const { authority } = doubting()
  authority.do(revokeOrg())
  const { dueCutOffs } = authority.state
  for (const [name, row] of dueCutOffs) dueCutOffs.set(name, { ...row, steadyMs: undefined })
  authority.nowMs += 5_000
  authority.doubtedByMs = undefined
  authority.do(again(authority))
  expect(authority.state.revocations.cutOffs.latestMs).toBe(authority.nowMs)
})

test('a cut-off requested twice is owed once, for the later time', () => {
  const { authority } = doubting()
  authority.do(revokeOrg())
  authority.nowMs += 1_000
  const askedMs = authority.nowMs
  authority.do(revokeOrg())
  expect([...authority.state.dueCutOffs.values()].map(({ seq }) => seq)).toEqual([2])
  authority.doubtedByMs = undefined
  authority.do(again(authority))
  expect(authority.state.revocations.cutOffs.latestMs).toBe(askedMs)
})

test('a repeated request never walks over the cut-offs that are owed', () => {
  const { authority } = doubting()
  const { dueCutOffs } = authority.state
  const named = (subject: string): Command => ({ ...revokeOrg(), subject }) as Command
  for (let count = 0; count < 100; count += 1) authority.do(named(`nobody ${count}`))
  const walk = vi.fn<() => never>()
  dueCutOffs.values = walk
  dueCutOffs.entries = walk
  dueCutOffs.forEach = walk
  for (let count = 0; count < 100; count += 1) authority.do(named(`nobody ${count}`))
  expect([dueCutOffs.size, walk.mock.calls.length]).toEqual([100, 0])
})

test('everything that needs to know the time is refused in doubt, and whatever revokes is not', () => {
  const { authority, minted } = doubting()
  const { kid, nonce } = parseTokenId(minted.id)
  const why = { actor: ACTOR, reason: '', org: 'acme' }
  const commands: readonly Command[] = [
    { kind: 'token.revoke', actor: ACTOR, reason: '', kid, nonce, expiresAt: 0, recorded: true },
    revokeOrg(),
    { kind: 'key.retire', kid, ...why },
    { kind: 'org.disable', ...why },
    { kind: 'revocations.adopt', actor: ACTOR, denials: [], from: undefined },
    { kind: 'lease.raise', actor: ACTOR, leaseMs: 5_000 },
    { kind: 'epoch.settle', actor: ACTOR, because: 'test' },
    { kind: 'audit.note', actor: ACTOR, action: 'clock.doubted', detail: {} },
  ]
  expect(commands.every(({ kind }) => ESSENTIAL.has(kind))).toBe(true)
  expect(codeOf(() => authority.mint())).toBe('clock_implausible')
  expect(codeOf(() => authority.do({ kind: 'revocations.purge', actor: ACTOR, rows: [], deletionClockMs: 0 }))).toBe(
    'clock_implausible',
  )
  expect(commands.map((command) => codeOf(() => authority.do(command)))).toEqual(commands.map(() => 'no error'))
})

test('the wall clock’s time is a detail of the audit record, and in no other row', () => {
  const { authority } = doubting()
  const { rows } = authority.do(revokeOrg())
  const wallMs = authority.nowMs + HOUR_MS
  const details = rows.flatMap(({ table, row }) => (table === 'audit' ? [JSON.parse(row.detail) as object] : []))
  expect(details).toMatchObject([{ wallMs, clockInDoubt: true }])
  const rest = rows.map(({ table, row }) => (table === 'audit' ? { ...row, detail: '' } : row))
  expect(JSON.stringify(rest)).not.toContain(String(wallMs).slice(0, -3))
})
