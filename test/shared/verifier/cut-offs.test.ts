import fc from 'fast-check'
import { expect, test } from 'vitest'
import { kid, type Kid, type Nonce } from '../../../shared/ids.ts'
import type { TokenIdentifier, TokenReference } from '../../../shared/macaroon/identifier.ts'
import { nonceTimeMs } from '../../../shared/macaroon/nonce.ts'
import type { KnownRevocation } from '../../../shared/verifier/revocation-row.ts'
import { CutOffs } from '../../../shared/verifier/cut-offs.ts'
import type { KeyEntry } from '../../../shared/verifier/key-table.ts'
import { Revocations } from '../../../shared/verifier/revocations.ts'
import { revocationStatus, type TokenTables } from '../../../shared/verifier/revocation-status.ts'

const ORGS = ['acme', 'globex']
const SUBJECTS = ['alice', 'bob']
const KIDS = [1, 2, 3, 4].map((n) => kid(n.toString(16).padStart(16, '0')))
/** Few milliseconds, so that the edges of cut-offs are met often. */
const TIMES = [100, 101, 102, 103]

function orgOf(name: string): string {
  return ORGS[KIDS.indexOf(name as Kid) % 2] ?? ''
}

function nonceAt(ms: number, last: number): Nonce {
  return `${ms.toString(16).padStart(12, '0')}7000800000000000000${last}` as Nonce
}

const numbered = { seq: 1, expiresAt: 0 } as const
const org = fc.constantFrom(...ORGS)
const oneKid = fc.constantFrom(...KIDS)
const time = fc.constantFrom(...TIMES)
const nonce = fc.tuple(time, fc.nat(1)).map(([ms, last]) => nonceAt(ms, last))
const reference = fc.record({ kid: oneKid, nonce })
const subject = fc.constantFrom(...SUBJECTS)

const revocation: fc.Arbitrary<KnownRevocation> = fc.oneof(
  reference.map((name) => ({ ...numbered, kind: 'token' as const, ...name })),
  fc
    .record({ kind: fc.constant('subject' as const), org, subject, untilMs: time })
    .map((row) => ({ ...numbered, ...row })),
  fc.record({ kind: fc.constant('org' as const), org, untilMs: time }).map((row) => ({ ...numbered, ...row })),
  // Also keys of another org: those rows must hit nothing.
  fc.record({ kind: fc.constant('key' as const), org, kid: oneKid }).map((row) => ({ ...numbered, ...row })),
  org.map((name) => ({ ...numbered, kind: 'org_disabled' as const, org: name })),
)

const identifier: fc.Arbitrary<TokenIdentifier> = fc.record({
  kid: oneKid,
  nonce,
  subject,
  expiresAt: fc.constant(0),
  ancestors: fc.array(reference, { maxLength: 4 }),
})

/** The meaning of each kind, in one line each. */
function hits(row: KnownRevocation, name: TokenReference, of: string): boolean {
  if (row.kind === 'token') return row.kid === name.kid && row.nonce === name.nonce
  if (row.org !== orgOf(name.kid)) return false
  if (row.kind === 'org_disabled') return true
  if (row.kind === 'key') return row.kid === name.kid
  if (row.kind === 'subject' && row.subject !== of) return false
  return nonceTimeMs(name.nonce) <= row.untilMs
}

function newRevocations(rows: readonly KnownRevocation[] = []): Revocations {
  const revocations = new Revocations({ seed: Buffer.alloc(8, 1) })
  for (const row of rows) revocations.take(row)
  return revocations
}

function entryOf(name: Kid): KeyEntry {
  return { org: orgOf(name), derivedKey: new Uint8Array(32), state: 'active', orgState: 'active' }
}

function tablesOf(revocations: Revocations): TokenTables {
  const revoked = (name: Kid, unique: Nonce): boolean => revocations.revoked(name, unique)
  return { key: entryOf, revoked, cutOffs: revocations.cutOffs }
}

test('a token is refused exactly when a revocation names it or one of its ancestors', () => {
  let refusals = 0
  fc.assert(
    fc.property(fc.array(revocation, { maxLength: 6 }), identifier, (rows, token) => {
      const refusal = revocationStatus(token, entryOf(token.kid), tablesOf(newRevocations(rows)))
      const names = [token, ...token.ancestors]
      const expected = rows.some((row) => names.some((name) => hits(row, name, token.subject)))
      expect(refusal !== undefined).toBe(expected)
      refusals += Number(expected)
    }),
    { numRuns: 2_000 },
  )
  expect(refusals).toBeGreaterThan(200)
  expect(refusals).toBeLessThan(1_900)
})

test('a covered revocation adds nothing, and every other one does', () => {
  fc.assert(
    fc.property(fc.array(revocation, { maxLength: 8 }), revocation, (rows, another) => {
      const revocations = newRevocations(rows)
      const before = revocations.size
      const covered = revocations.covers(another)
      expect(revocations.take(another)).toBe(!covered)
      expect(revocations.covers(another)).toBe(true)
      if (covered) expect(revocations.size).toBe(before)
    }),
  )
})

test('revocations added with undo are taken back, the last one first, and nothing else is', () => {
  fc.assert(
    fc.property(
      fc.array(revocation),
      fc.array(revocation),
      fc.array(identifier, { maxLength: 5 }),
      (kept, undone, tokens) => {
        const revocations = newRevocations(kept)
        const undo = undone.map((row) => revocations.takeUndoably(row))
        for (const row of undone) expect(revocations.covers(row)).toBe(true)
        for (const takeBack of undo.toReversed()) takeBack()
        const fresh = newRevocations(kept)
        expect(revocations.size).toBe(fresh.size)
        const judged = (of: Revocations): unknown[] =>
          tokens.map((token) => revocationStatus(token, entryOf(token.kid), tablesOf(of))?.reason)
        expect(judged(revocations)).toEqual(judged(fresh))
      },
    ),
  )
})

test('a token whose subject is not known is hit by everything but the cut-offs of subjects', () => {
  const cutOffs = new CutOffs()
  const name = { kid: KIDS[0] as Kid, nonce: nonceAt(100, 0) }
  cutOffs.take({ ...numbered, kind: 'subject', org: 'acme', subject: 'alice', untilMs: 100 })
  expect(cutOffs.refusalOf(name, 'acme', 'alice')).toBe('revoked')
  expect(cutOffs.refusalOf(name, 'acme', undefined)).toBeUndefined()
  cutOffs.take({ ...numbered, kind: 'org', org: 'acme', untilMs: 100 })
  expect(cutOffs.refusalOf(name, 'acme', undefined)).toBe('revoked')
})
