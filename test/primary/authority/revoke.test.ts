import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Command, KeyRotated, Minted, OrgCreated } from '../../../primary/authority/commands.ts'
import { tablesOf } from '../../../primary/authority/state.ts'
import { parseTokenId, type Kid } from '../../../shared/ids.ts'
import { REQUESTS_KEPT_MAX } from '../../../shared/limits.ts'
import { nonceTimeMs } from '../../../shared/macaroon/nonce.ts'
import type { KeyRetired, OrgRevoked, RevokeAnswer } from '../../../shared/protocol/revoke.ts'
import { judge } from '../../../shared/verifier/verifier.ts'
import { ACTOR, Authority, imageOf, NOW_MS } from './fixture.ts'
import { LOGIN, messageOf, Tenants, withLogin } from './presented.ts'
import { codeOf } from '../../shared/code-of.ts'

const TOKENS = { count: 0, complete: true }
const why = { actor: ACTOR, reason: 'lost', tokens: TOKENS }

class Tester extends Tenants {
  revokeIssued(org: string, changes: { subject?: string; untilMs?: number } = {}): RevokeAnswer {
    const named = { kind: 'issued.revoke' as const, org, subject: undefined, untilMs: undefined }
    return this.do({ ...named, ...why, ...changes }).answer as RevokeAnswer
  }

  retire(org: string, kid: Kid, unnamed = false): KeyRetired {
    return this.do({ kind: 'key.retire', org, kid, unnamed, ...why }).answer as KeyRetired
  }

  disable(org: string): RevokeAnswer {
    return this.do({ kind: 'org.disable', org, ...why }).answer as RevokeAnswer
  }

  rotate(org: string): KeyRotated {
    return this.do({ kind: 'key.rotate', actor: ACTOR, org }).answer as KeyRotated
  }

  issued(org: string, subject: string): string {
    return (this.mint({ org, subject }).answer as Minted).token
  }

  /** As a replica with all of this would judge it. */
  outcome(token: string, org: string): string {
    const context = { nowEarliestMs: this.nowMs, nowLatestMs: this.nowMs }
    const verdict = judge({ token, access: { org } }, tablesOf(this.state), context)
    return verdict.ok ? 'ok' : verdict.reason
  }

  get revocations(): number {
    return this.rows.filter(({ table }) => table === 'revocations').length
  }
}

test('a cut-off revokes everything issued up to its millisecond, and nothing minted later', () => {
  const tester = new Tester()
  const [alice, bob, other] = [
    tester.issued('acme', 'alice'),
    tester.issued('acme', 'bob'),
    tester.issued('globex', 'alice'),
  ]
  expect(tester.revokeIssued('acme', { subject: 'alice' })).toMatchObject({
    kind: 'subject',
    subject: 'alice',
    seq: 1,
    already: false,
  })
  const later = tester.issued('acme', 'alice')
  expect(tester.outcome(alice, 'acme')).toBe('revoked')
  expect(tester.outcome(bob, 'acme')).toBe('ok')
  expect(tester.outcome(other, 'globex')).toBe('ok')
  expect(tester.outcome(later, 'acme')).toBe('ok')
  expect(tester.revokeIssued('acme')).toMatchObject({ kind: 'org', org: 'acme', seq: 2, already: false })
  expect(tester.outcome(bob, 'acme')).toBe('revoked')
  expect(tester.outcome(later, 'acme')).toBe('revoked')
  expect(tester.outcome(tester.issued('acme', 'alice'), 'acme')).toBe('ok')
  expect(tester.outcome(other, 'globex')).toBe('ok')
})

test('a token is refused exactly when a cut-off came after it, for any clock and schedule', () => {
  const step = fc.record({
    move: fc.integer({ min: -3, max: 3 }),
    what: fc.constantFrom('mint', 'mint', 'revoke', 'revoke subject'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const tester = new Tester()
      const minted: { token: string; hit: boolean }[] = []
      for (const { move, what } of steps) {
        tester.nowMs += move
        if (what === 'mint') minted.push({ token: tester.issued('acme', 'alice'), hit: false })
        else {
          tester.revokeIssued('acme', what === 'revoke' ? {} : { subject: 'alice' })
          for (const one of minted) one.hit = true
        }
      }
      tester.nowMs += 1_000
      for (const { token, hit } of minted) expect(tester.outcome(token, 'acme')).toBe(hit ? 'revoked' : 'ok')
    }),
    { numRuns: 200 },
  )
})

test('a cut-off in the past revokes tokens issued up to and including that millisecond only', () => {
  const tester = new Tester()
  const tokens = [0, 1, 2].map((ms) => {
    tester.nowMs = NOW_MS + ms * 10
    return tester.issued('acme', 'alice')
  })
  tester.nowMs = NOW_MS + 100
  expect(tester.revokeIssued('acme', { untilMs: NOW_MS + 10 })).toMatchObject({ untilMs: NOW_MS + 10 })
  expect(tokens.map((token) => tester.outcome(token, 'acme'))).toEqual(['revoked', 'revoked', 'ok'])
})

test('a cut-off is at least the last time of issue, also when the clock was set back since', () => {
  const tester = new Tester()
  const token = tester.issued('acme', 'alice')
  tester.nowMs = NOW_MS - 60_000
  const { untilMs } = tester.revokeIssued('acme') as OrgRevoked
  expect(untilMs).toBeGreaterThanOrEqual(NOW_MS)
  tester.nowMs = NOW_MS
  expect(tester.outcome(token, 'acme')).toBe('revoked')
  expect(tester.outcome(tester.issued('acme', 'alice'), 'acme')).toBe('ok')
})

test('a service token ends with each of its ancestors, their subject, their org and their key', () => {
  const ends: ((tester: Tester, kid: Kid) => unknown)[] = [
    (tester) => tester.revokeIssued('acme', { subject: 'somebody', untilMs: NOW_MS }),
    (tester) => tester.revokeIssued('acme', { untilMs: NOW_MS }),
    (tester, kid) => tester.retire('acme', kid),
    (tester) => tester.disable('acme'),
  ]
  for (const [index, end] of ends.entries()) {
    const tester = new Tester()
    const login = tester.minted('acme')
    const { kid } = parseTokenId(login.id)
    tester.nowMs += 1_000
    // The service token is of another key, and issued later, so that only its ancestor can be hit.
    tester.rotate('acme')
    const service = tester.exchange(withLogin(login.token), { strip: LOGIN })
    expect(parseTokenId(service.id).kid).not.toBe(kid)
    expect(nonceTimeMs(parseTokenId(service.id).nonce)).toBeGreaterThan(NOW_MS)
    expect(tester.outcome(service.token, 'acme')).toBe('ok')
    end(tester, kid)
    expect(tester.outcome(service.token, 'acme')).toBe(['revoked', 'revoked', 'key_retired', 'org_disabled'][index])
    expect(codeOf(() => tester.exchange(withLogin(service.token), { strip: LOGIN }))).toBe('token_refused')
  }
})

test('rotating a key ends nothing, and retiring the one before ends its tokens alone', () => {
  const tester = new Tester()
  const old = tester.issued('acme', 'alice')
  const { kid, generation, previous } = tester.rotate('acme')
  expect([generation, tester.state.orgs.get('acme')?.activeKid]).toEqual([2, kid])
  const fresh = tester.issued('acme', 'alice')
  expect([tester.outcome(old, 'acme'), tester.outcome(fresh, 'acme')]).toEqual(['ok', 'ok'])
  expect(tester.retire('acme', previous as Kid)).toMatchObject({
    kind: 'key',
    kid: previous,
    mints: kid,
    already: false,
  })
  expect([tester.outcome(old, 'acme'), tester.outcome(fresh, 'acme')]).toEqual(['key_retired', 'ok'])
})

test('an unnamed older key is not retired when it mints again because the newer one was retired', () => {
  const tester = new Tester()
  const { kid, previous } = tester.rotate('acme')
  tester.retire('acme', kid)
  const token = tester.issued('acme', 'alice')
  expect(codeOf(() => tester.retire('acme', previous as Kid, true))).toBe('request_invalid')
  expect(tester.outcome(token, 'acme')).toBe('ok')
})

test('an org whose last key is retired mints no more until it gets a new one', () => {
  const tester = new Tester()
  const kid = tester.state.orgs.get('acme')?.activeKid as Kid
  expect(tester.retire('acme', kid)).toMatchObject({ mints: null })
  expect(codeOf(() => tester.issued('acme', 'alice'))).toBe('key_retired')
  expect(tester.rotate('acme')).toMatchObject({ generation: 2, previous: null })
  expect(tester.outcome(tester.issued('acme', 'alice'), 'acme')).toBe('ok')
})

test('a disabled org mints and rotates nothing, its tokens are refused, and can still be revoked', () => {
  const tester = new Tester()
  const { token, id } = tester.minted('acme')
  expect(tester.disable('acme')).toMatchObject({ kind: 'org_disabled', org: 'acme', already: false })
  expect(tester.outcome(token, 'acme')).toBe('org_disabled')
  expect(codeOf(() => tester.issued('acme', 'x'))).toBe('org_disabled')
  expect(codeOf(() => tester.rotate('acme'))).toBe('org_disabled')
  expect(codeOf(() => tester.createOrg('acme'))).toBe('org_exists')
  tester.revoke(id)
  expect(tester.revocations).toBe(2)
})

test('an org that a restore brought back to before its creation stays disabled, not created anew', () => {
  const tester = new Tester()
  tester.state.revocations.take({ kind: 'org_disabled', org: 'gone', seq: 1, expiresAt: 0 })
  expect(codeOf(() => tester.createOrg('gone'))).toBe('org_disabled')
})

test('revoking what is revoked appends no second row, says so, and is in the audit', () => {
  const tester = new Tester()
  const { id } = tester.minted('acme')
  const kid = tester.state.orgs.get('acme')?.activeKid as Kid
  const token: Command = {
    kind: 'token.revoke',
    ...parseTokenId(id),
    expiresAt: 0,
    recorded: true,
    actor: ACTOR,
    reason: '',
  }
  const repeatable: (() => unknown)[] = [
    () => tester.do(token).answer,
    () => tester.revokeIssued('acme', { subject: 'alice', untilMs: NOW_MS }),
    () => tester.revokeIssued('acme', { untilMs: NOW_MS }),
    () => tester.retire('acme', kid),
    () => tester.disable('acme'),
  ]
  for (const [index, revoke] of repeatable.entries()) {
    expect(revoke()).toMatchObject({ seq: index + 1, already: false })
    tester.nowMs += 50
    expect(revoke()).toMatchObject({ seq: index + 1, already: true })
    expect(tester.revocations).toBe(index + 1)
  }
  const audited = tester.rows.filter(({ table }) => table === 'audit').length
  expect(audited).toBe(2 + 1 + 2 * repeatable.length)
})

test('a repeated revocation is answered with its own org’s number, which reveals no other org’s', () => {
  const tester = new Tester()
  tester.createOrg('other')
  const { id } = tester.mint().answer as Minted
  const command = { kind: 'token.revoke', ...parseTokenId(id), expiresAt: 0, recorded: true, ...why } as const
  expect(tester.do(command).answer).toMatchObject({ seq: 1, already: false })
  tester.revokeIssued('other')
  tester.disable('other')
  expect(tester.do(command).answer).toMatchObject({ seq: 1, already: true })
  tester.revokeIssued('acme')
  expect(tester.do(command).answer).toMatchObject({ seq: 4, already: true })
})

test('a cut-off up to now is a new one each time, because the database may not show every mint', () => {
  const tester = new Tester()
  tester.issued('acme', 'alice')
  tester.revokeIssued('acme')
  tester.nowMs += 10
  expect(tester.revokeIssued('acme')).toMatchObject({ seq: 2, untilMs: tester.nowMs, already: false })
  const later = tester.issued('acme', 'alice')
  expect(tester.revokeIssued('acme')).toMatchObject({ seq: 3, already: false })
  expect(tester.outcome(later, 'acme')).toBe('revoked')
})

test.each([
  ['of a subject', { subject: 'alice' }],
  ['of an org', {}],
  ['up to a named time', { subject: 'alice', untilMs: NOW_MS + 2_000 }],
])('a cut-off %s reaches tokens that a restore lost, although the same one is on record', (_, named) => {
  const tester = new Tester()
  tester.issued('acme', 'alice')
  tester.revokeIssued('acme', 'subject' in named ? { subject: named.subject } : {})
  const restored = tester.state.issue
  tester.nowMs += 1_000
  const lost = tester.issued('acme', 'alice')
  // A restore to before this mint: the database does not have it.
  tester.state.issue = restored
  tester.nowMs += 1_000
  expect(tester.revokeIssued('acme', named)).toMatchObject({ already: false })
  expect(tester.outcome(lost, 'acme')).toBe('revoked')
})

const REFUSED: readonly (readonly [string, (tester: Tester) => unknown, string])[] = [
  ['a cut-off in the future', (tester) => tester.revokeIssued('acme', { untilMs: NOW_MS + 1 }), 'request_invalid'],
  ['a cut-off of no org of ours', (tester) => tester.revokeIssued('nobody'), 'org_unknown'],
  [
    'a subject that no token can have',
    (tester) => tester.revokeIssued('acme', { subject: 'ü'.repeat(128) }),
    'request_invalid',
  ],
  ['a subject that is no text', (tester) => tester.revokeIssued('acme', { subject: '\ud800' }), 'request_invalid'],
  [
    'a key of another org',
    (tester) => tester.retire('acme', tester.state.orgs.get('globex')?.activeKid as Kid),
    'key_unknown',
  ],
  ['a key that does not exist', (tester) => tester.retire('acme', '0'.repeat(16) as Kid), 'key_unknown'],
  ['disabling no org of ours', (tester) => tester.disable('nobody'), 'org_unknown'],
  ['rotating a key of no org of ours', (tester) => tester.rotate('nobody'), 'org_unknown'],
]

test.each(REFUSED)('%s is refused and changes nothing', (_, work, code) => {
  const tester = new Tester()
  const before = imageOf(tester.state)
  expect(codeOf(() => work(tester))).toBe(code)
  expect(imageOf(tester.state)).toBe(before)
})

function rotation(id: string, digest: string = 'a'): Command {
  return { kind: 'key.rotate', actor: ACTOR, org: 'acme', request: { id, digest } }
}

test('a repeated request gets the first answer, and is carried out once', () => {
  const authority = new Authority()
  const { kid } = authority.createOrg('acme').answer as OrgCreated
  const first = authority.do(rotation('r1'))
  expect(first.answer).toMatchObject({ previous: kid })
  const keys = authority.state.keys.size
  authority.nowMs += 365 * 86_400_000
  const again = authority.do(rotation('r1'))
  expect(again.answer).toEqual(first.answer)
  expect([again.rows, authority.state.keys.size]).toEqual([[], keys])
  expect(again.carriedOut).toMatchObject({ epoch: 1, txid: 2 })
  expect(authority.do(rotation('r2')).carriedOut).toBeUndefined()
})

test('another content under the same request id is a conflict, and changes nothing', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  authority.do(rotation('r1'))
  const before = imageOf(authority.state)
  expect(codeOf(() => authority.do(rotation('r1', 'b')))).toBe('request_conflict')
  expect(messageOf(() => authority.do(rotation('r1', 'b')))).toContain('request id')
  expect(imageOf(authority.state)).toBe(before)
})

test('a fixed number of answers is kept, whatever their age; the oldest leave first', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  const disable = (n: number): Command => {
    return { kind: 'org.disable', org: 'acme', ...why, request: { id: `r${n}`, digest: 'a' } }
  }
  for (let n = 1; n <= REQUESTS_KEPT_MAX; n += 1) authority.do(disable(n))
  expect(authority.state.requests.size).toBe(REQUESTS_KEPT_MAX)
  const { rows } = authority.do(disable(REQUESTS_KEPT_MAX + 1))
  expect(rows).toContainEqual({ table: 'requests removed', row: { seq: 1 } })
  expect([authority.state.requests.size, authority.state.requests.has('r1')]).toEqual([REQUESTS_KEPT_MAX, false])
  authority.nowMs += 365 * 86_400_000
  authority.do(disable(0))
  expect([authority.state.requests.size, authority.state.requests.has('r2')]).toEqual([REQUESTS_KEPT_MAX, false])
})
