import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Minted, Purged } from '../../../primary/authority/commands.ts'
import type { Row } from '../../../primary/authority/rows.ts'
import { tablesOf } from '../../../primary/authority/state.ts'
import { parseTokenId } from '../../../shared/ids.ts'
import { ANCESTORS_MAX, PURGE_MARGIN_SECONDS, SERVICE_TTL_SECONDS_MAX } from '../../../shared/limits.ts'
import { nonceTimeMs } from '../../../shared/macaroon/nonce.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'
import { Revocations } from '../../../shared/verifier/revocations.ts'
import { judge } from '../../../shared/verifier/verifier.ts'
import { ACTOR, NOW_MS } from './fixture.ts'
import { Tenants, withLogin } from './presented.ts'

const OUTLIVED_MS: number = (ANCESTORS_MAX * SERVICE_TTL_SECONDS_MAX + PURGE_MARGIN_SECONDS) * 1000
const DAY_MS = 86_400_000
const TTL_SECONDS = 60

/** An authority that keeps its log of revocations as the database would, and all that were ever made beside it. */
class Purger extends Tenants {
  readonly everything: Revocations = new Revocations({ seed: new Uint8Array(8) })
  log: RevocationRow[] = []

  revokeToken(id: string, expiresAt: number): void {
    const named = { ...parseTokenId(id), expiresAt, recorded: true }
    this.written(this.do({ kind: 'token.revoke', actor: ACTOR, ...named, reason: '' }).rows)
  }

  purge(deletionClockMs: number = this.nowMs): number {
    const { rows, answer } = this.do({ kind: 'revocations.purge', actor: ACTOR, rows: this.log, deletionClockMs })
    this.written(rows)
    return (answer as Purged).purged
  }

  written(rows: readonly Row[]): void {
    for (const { table, row } of rows) {
      if (table === 'revocations') {
        this.log.push(row.revocation)
        this.everything.take(row.revocation)
      }
      if (table === 'revocations purged') this.log = this.log.filter(({ seq }) => seq < row.first || seq > row.last)
    }
  }

  /** As a replica would judge that has these revocations. */
  outcome(token: string, revocations: Revocations = this.state.revocations): string {
    const tables = tablesOf({ ...this.state, revocations })
    const context = { nowEarliestMs: this.nowMs, nowLatestMs: this.nowMs }
    const verdict = judge({ token, access: { org: 'acme' } }, tables, context)
    return verdict.ok ? 'ok' : verdict.reason
  }

  get numbers(): readonly number[] {
    return this.log.map(({ seq }) => seq)
  }
}

describe('a purge', () => {
  test('deletes a revocation once no descendant of its token can live, and not a second before', () => {
    const purger = new Purger()
    const { id, expiresAt } = purger.minted('acme')
    purger.revokeToken(id, expiresAt)
    purger.nowMs = expiresAt * 1000 + OUTLIVED_MS
    expect([purger.purge(), purger.numbers, purger.state.revocations.size]).toEqual([0, [1], 1])
    purger.nowMs += 1_000
    expect([purger.purge(), purger.numbers, purger.state.revocations.size]).toEqual([1, [], 0])
  })

  test('keeps the revocation of a token while the last service token in its line lives', () => {
    const purger = new Purger()
    const first = purger.minted('acme')
    const second = purger.mint({ org: 'acme' }).answer as Minted
    let line = first
    for (let generation = 0; generation < ANCESTORS_MAX; generation += 1) {
      purger.nowMs = (line.expiresAt - 1) * 1000
      line = purger.exchange(withLogin(line.token), { ttlSeconds: SERVICE_TTL_SECONDS_MAX })
    }
    purger.revokeToken(first.id, first.expiresAt)
    purger.revokeToken(second.id, second.expiresAt)
    purger.nowMs = (line.expiresAt - 1) * 1000
    expect([purger.purge(), purger.outcome(line.token)]).toEqual([0, 'revoked'])
  })

  test('never deletes what names a token that does not expire, or more than one token', () => {
    const purger = new Purger()
    const { id } = purger.mint({ org: 'acme', ttlSeconds: 0 }).answer as Minted
    const { kid } = parseTokenId(id)
    const why = { actor: ACTOR, reason: '', tokens: { count: 0, complete: true } }
    purger.revokeToken(id, 0)
    const cutOff = { kind: 'issued.revoke', org: 'acme', untilMs: undefined, ...why } as const
    purger.written(purger.do({ ...cutOff, subject: 'somebody' }).rows)
    purger.written(purger.do({ ...cutOff, subject: undefined }).rows)
    purger.written(purger.do({ kind: 'key.retire', org: 'acme', kid, ...why }).rows)
    purger.written(purger.do({ kind: 'org.disable', org: 'acme', ...why }).rows)
    purger.nowMs += 1_000 * OUTLIVED_MS
    expect([purger.purge(), purger.numbers, purger.state.revocations.size]).toEqual([0, [1, 2, 3, 4, 5], 5])
  })

  test('believes neither a wall clock that jumped ahead nor one that is behind the others', () => {
    const purger = new Purger()
    const { id, expiresAt } = purger.minted('acme')
    purger.revokeToken(id, expiresAt)
    const beforeMs = purger.nowMs
    purger.nowMs += 2 * OUTLIVED_MS
    // The wall clock is years ahead; what goes on from the last mint is not.
    expect(purger.purge(beforeMs + 60_000)).toBe(0)
    purger.nowMs = beforeMs
    expect(purger.purge(beforeMs + 2 * OUTLIVED_MS)).toBe(0)
    expect(purger.numbers).toEqual([1])
  })

  test('records the time it used: no clock set back later mints or judges before it', () => {
    const purger = new Purger()
    const { id, expiresAt } = purger.minted('acme')
    purger.revokeToken(id, expiresAt)
    purger.nowMs += 2 * OUTLIVED_MS
    const purgedMs = purger.nowMs
    expect(purger.purge()).toBe(1)
    expect(purger.state.issue.lastMs).toBe(purgedMs)
    purger.nowMs = NOW_MS
    expect(nonceTimeMs(parseTokenId(purger.minted('acme').id).nonce)).toBeGreaterThanOrEqual(purgedMs)
  })

  test('leaves in ranges of numbers that follow each other, with one audit record', () => {
    const purger = new Purger()
    const tokens = Array.from({ length: 9 }, (_, index) => {
      return purger.mint({ org: 'acme', ttlSeconds: index === 3 || index === 5 ? 0 : 60 }).answer as Minted
    })
    for (const { id, expiresAt } of tokens) purger.revokeToken(id, expiresAt)
    purger.nowMs += OUTLIVED_MS + DAY_MS
    const { rows } = purger.do({
      kind: 'revocations.purge',
      actor: ACTOR,
      rows: purger.log,
      deletionClockMs: purger.nowMs,
    })
    const ranges = rows.flatMap(({ table, row }) => (table === 'revocations purged' ? [row] : []))
    expect(ranges).toEqual([
      { first: 1, last: 3 },
      { first: 5, last: 5 },
      { first: 7, last: 9 },
    ])
    const [audit, ...more] = rows.flatMap(({ table, row }) => (table === 'audit' ? [row] : []))
    expect([more, audit?.action, audit?.target]).toEqual([[], 'revocations.purge', '1-9'])
    expect(JSON.parse(audit?.detail ?? '')).toEqual({ purged: 7, ranges: 3, nowMs: purger.nowMs })
  })

  test('that is undone with its transaction takes nothing away', () => {
    const purger = new Purger()
    const { id, expiresAt, token } = purger.minted('acme')
    purger.revokeToken(id, expiresAt)
    purger.state.undo.length = 0
    purger.nowMs += OUTLIVED_MS + DAY_MS
    purger.purge()
    expect(purger.state.revocations.size).toBe(0)
    for (const takeBack of purger.state.undo.toReversed()) takeBack()
    purger.nowMs = NOW_MS
    expect(purger.outcome(token)).toBe('revoked')
  })
})

test('purges change no verdict in any history of mints, exchanges and revocations', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('mint'), ttl: fc.constantFrom(0, TTL_SECONDS, 400 * 86_400), days: fc.constant(0) }),
    fc.record({
      kind: fc.constant('exchange'),
      ttl: fc.constantFrom(60, SERVICE_TTL_SECONDS_MAX),
      days: fc.constant(0),
    }),
    fc.record({ kind: fc.constant('revoke'), ttl: fc.constant(0), days: fc.constant(0) }),
    fc.record({ kind: fc.constant('wait'), ttl: fc.constant(0), days: fc.constantFrom(0.0006, 1, 89, 120, 400) }),
    fc.record({ kind: fc.constant('purge'), ttl: fc.constant(0), days: fc.constant(0) }),
  )
  let purged = 0
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat()), { minLength: 10, maxLength: 40 }), (steps) => {
      const purger = new Purger()
      const tokens: Minted[] = []
      for (const [{ kind, ttl, days }, pick] of steps) {
        const one = tokens[pick % Math.max(1, tokens.length)]
        purger.nowMs += days * DAY_MS
        if (kind === 'purge') purged += purger.purge()
        if (kind === 'mint') tokens.push(purger.mint({ org: 'acme', ttlSeconds: ttl }).answer as Minted)
        if (kind === 'revoke' && one !== undefined) purger.revokeToken(one.id, one.expiresAt)
        if (kind === 'exchange' && one !== undefined && purger.outcome(one.token) === 'ok') {
          const line = exchanged(purger, one, ttl)
          if (line !== undefined) tokens.push(line)
        }
        for (const { token } of tokens) {
          const accepted = purger.outcome(token) === 'ok'
          expect(accepted).toBe(purger.outcome(token, purger.everything) === 'ok')
        }
      }
    }),
    { numRuns: 150 },
  )
  expect(purged).toBeGreaterThan(0)
})

/** Undefined where it goes back to too many tokens already. */
function exchanged(purger: Purger, one: Minted, ttlSeconds: number): Minted | undefined {
  try {
    return purger.exchange(withLogin(one.token), { ttlSeconds })
  } catch {
    return undefined
  }
}
