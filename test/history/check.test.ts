import { describe, expect, test } from 'vitest'
import { type Bounds, checkHistory, type Rule } from './check.ts'
import type { FaultEvent, HistoryEvent, MintEvent, Named, RevokeEvent, VerifyEvent } from './event.ts'
import { missedCounts, missedFaults } from './gates.ts'

const BOUNDS: Bounds = { revocationMs: 1_000, leaseMs: 900, surelyLeasedMs: 600 }

const minted = (id: string, ancestors: readonly string[] = [], changes: Partial<MintEvent> = {}): MintEvent => {
  const identity = { org: 'acme', subject: 'alice', kid: 'k1', issuedMs: 500 }
  return { t: 'mint', inv: 0, ret: 1, id, ancestors, ...identity, ...changes }
}
const revokedAs = (named: Named, changes: Partial<RevokeEvent> = {}): RevokeEvent => {
  return { t: 'revoke', inv: 90, ret: 100, named, wait: 'durable', result: 'ok', epoch: 1, seq: 1, ...changes }
}
const revoked = (id: string, changes: Partial<RevokeEvent> = {}): RevokeEvent =>
  revokedAs({ kind: 'token', id }, changes)
const verified = (inv: number, changes: Partial<VerifyEvent> = {}): VerifyEvent => {
  const where = { proc: 'w1', region: 'fra', node: 'w1', boot: 'b1' }
  return { t: 'verify', inv, ret: inv + 1, ...where, id: 'a', result: 'allow', ...changes }
}
const refused: Partial<VerifyEvent> = { result: 'deny', reason: 'revoked' }
const fault = (changes: Partial<FaultEvent> = {}): FaultEvent => {
  return { t: 'fault', kind: 'cut both ways', target: 'fra', from: 1_000, until: 5_000, effect: 7, ...changes }
}

function rulesOf(...events: readonly HistoryEvent[]): readonly Rule[] {
  return checkHistory([minted('a'), ...events], BOUNDS).violations.map(({ rule }) => rule)
}

describe('the checker', () => {
  test('finds nothing in a history that keeps every promise', () => {
    const events = [verified(50), revoked('a'), verified(1_099), verified(1_200, refused), verified(9_000, refused)]
    expect(rulesOf(...events)).toEqual([])
  })

  test('finds an acceptance past the bound, and reports the worst one either way', () => {
    expect(rulesOf(revoked('a'), verified(1_101))).toEqual(['S1'])
    const { worstAcceptanceMs } = checkHistory([minted('a'), revoked('a'), verified(700), verified(300)], BOUNDS)
    expect(worstAcceptanceMs).toBe(600)
  })

  test('lets an operator give a revocation up, and holds everybody to a later one', () => {
    const forgotten: HistoryEvent = { t: 'forget', inv: 2_000, ret: 2_001, named: { kind: 'token', id: 'a' } }
    const before = [revoked('a'), verified(1_500, refused)]
    expect(rulesOf(...before, verified(1_990))).toEqual(['S1', 'S3'])
    expect(rulesOf(...before, forgotten, verified(2_010), verified(2_020, refused), verified(9_000))).toEqual([])
    const again = revoked('a', { inv: 3_000, ret: 3_001, seq: 2 })
    expect(rulesOf(...before, forgotten, verified(2_010), again, verified(3_900), verified(4_100))).toEqual(['S1'])
  })

  test('holds service tokens to the revocation of what they were made from', () => {
    expect(rulesOf(minted('s', ['a']), revoked('a'), verified(1_101, { id: 's' }))).toEqual(['S1'])
    expect(rulesOf(minted('s', ['a']), revoked('s'), verified(1_101))).toEqual([])
  })

  test('counts an unknown outcome from the first node that shows it, and not at all before', () => {
    const unknown = revoked('a', { result: 'indeterminate' })
    expect(rulesOf(unknown, verified(5_000))).toEqual([])
    expect(rulesOf(unknown, verified(2_000, { ...refused, node: 'w2' }), verified(2_900))).toEqual([])
    expect(rulesOf(unknown, verified(2_000, { ...refused, node: 'w2' }), verified(3_100))).toEqual(['S1'])
  })

  test('holds every token that a cut-off names to it, and no other', () => {
    const alice = (untilMs: number): RevokeEvent =>
      revokedAs({ kind: 'subject', org: 'acme', subject: 'alice', untilMs })
    const org = (untilMs: number): RevokeEvent => revokedAs({ kind: 'org', org: 'acme', untilMs })
    for (const cutOff of [alice, org]) {
      // The moment itself is included, and what was issued after it is not.
      expect(rulesOf(cutOff(500), verified(1_101))).toEqual(['S1'])
      expect(rulesOf(cutOff(499), verified(1_101))).toEqual([])
      expect(rulesOf(cutOff(499), verified(200, refused))).toEqual(['S12'])
    }
    const others = [minted('b', [], { subject: 'bob' }), minted('c', [], { org: 'globex' })]
    expect(rulesOf(...others, alice(500), verified(1_101, { id: 'b' }), verified(1_101, { id: 'c' }))).toEqual([])
    expect(rulesOf(...others, org(500), verified(1_101, { id: 'b' }), verified(1_101, { id: 'c' }))).toEqual(['S1'])
  })

  test('holds every token of a retired key to the retirement', () => {
    const retired = revokedAs({ kind: 'key', kid: 'k1' })
    const keyRetired = { result: 'deny', reason: 'key_retired' } as const
    expect(rulesOf(retired, verified(1_101))).toEqual(['S1'])
    expect(rulesOf(minted('b', [], { kid: 'k2' }), retired, verified(1_101, { id: 'b' }))).toEqual([])
    expect(rulesOf(retired, verified(50, keyRetired))).toEqual(['S12'])
    expect(rulesOf(retired, verified(200, keyRetired), verified(300))).toEqual(['S3'])
  })

  test('holds every token of a disabled org to the disabling, even one issued later', () => {
    const disabled = revokedAs({ kind: 'disabled', org: 'acme' })
    const orgDisabled = { result: 'deny', reason: 'org_disabled' } as const
    expect(rulesOf(disabled, verified(1_101))).toEqual(['S1'])
    expect(rulesOf(minted('b', [], { issuedMs: 9_000 }), disabled, verified(1_101, { id: 'b' }))).toEqual(['S1'])
    expect(rulesOf(minted('c', [], { org: 'globex' }), disabled, verified(1_101, { id: 'c' }))).toEqual([])
    expect(rulesOf(disabled, verified(50, orgDisabled))).toEqual(['S12'])
  })

  test('judges a service token by its ancestor’s time of issue as well', () => {
    const service = minted('s', ['a'], { issuedMs: 900 })
    const cutOff = revokedAs({ kind: 'subject', org: 'acme', subject: 'alice', untilMs: 500 })
    expect(rulesOf(service, cutOff, verified(1_101, { id: 's' }))).toEqual(['S1'])
  })

  test('does not take a refusal that a second revocation also causes as proof of the one in doubt', () => {
    const inDoubt = revokedAs({ kind: 'org', org: 'acme', untilMs: 500 }, { result: 'indeterminate' })
    const known = minted('b')
    const shown = verified(2_000, { ...refused, node: 'w2' })
    expect(rulesOf(known, revoked('a'), inDoubt, shown, verified(9_000, { id: 'b' }))).toEqual([])
    const settled = verified(2_000, { ...refused, id: 'b', node: 'w2' })
    expect(rulesOf(known, revoked('a'), inDoubt, settled, verified(9_000, { id: 'b' }))).toEqual(['S1'])
  })

  test('judges selected verifications by the whole history', () => {
    const unknown = revoked('a', { result: 'indeterminate' })
    const events = [minted('a'), unknown, verified(2_000, { ...refused, proc: 'w2', node: 'w2' }), verified(2_500)]
    const { counts, worstAcceptanceMs } = checkHistory(events, BOUNDS, ({ proc }) => proc === 'w1')
    expect([counts.verifications, counts.insideBound, worstAcceptanceMs]).toEqual([1, 1, 499])
  })

  test('ignores a revocation that was refused', () => {
    expect(rulesOf(revoked('a', { result: 'refused' }), verified(5_000))).toEqual([])
    expect(rulesOf(revoked('a', { result: 'refused' }), verified(5_000, refused))).toEqual(['S12'])
  })

  test('finds any acceptance after a global wait returned', () => {
    expect(rulesOf(revoked('a', { wait: 'global' }), verified(101))).toEqual(['S2'])
    expect(rulesOf(revoked('a', { wait: 'global' }), verified(99))).toEqual([])
  })

  test('finds a node that accepts what it had refused, also in another life of it', () => {
    expect(rulesOf(revoked('a'), verified(200, refused), verified(300, { boot: 'b2' }))).toEqual(['S3'])
    expect(rulesOf(revoked('a'), verified(200, refused), verified(300, { node: 'w2' }))).toEqual([])
    // Answers cross: what was asked before the refusal was there proves nothing.
    expect(rulesOf(revoked('a'), verified(200, { ...refused, ret: 400 }), verified(300, { ret: 500 }))).toEqual([])
  })

  test('finds an acceptance in a region that has been cut off for longer than a lease', () => {
    expect(rulesOf(fault(), verified(1_899))).toEqual([])
    expect(rulesOf(fault(), verified(1_901))).toEqual(['S4'])
    expect(rulesOf(fault(), verified(1_901, { region: 'sin' }))).toEqual([])
    expect(rulesOf(fault({ kind: 'stopped' }), verified(1_901))).toEqual([])
    expect(rulesOf(fault(), verified(5_001))).toEqual([])
  })

  test('finds an answer from an older state than was asked for, and lets an unavailable one pass', () => {
    expect(rulesOf(verified(10, { minTxid: 5, txid: 4 }))).toEqual(['S5'])
    expect(rulesOf(verified(10, { minTxid: 5, txid: 5 }))).toEqual([])
    expect(rulesOf(verified(10, { minTxid: 5, txid: 4, result: 'unavailable' }))).toEqual([])
  })

  test('finds a token that nobody minted', () => {
    const { id: _, ...forged } = verified(10)
    expect(rulesOf(forged)).toEqual(['S6'])
    expect(rulesOf(verified(10, { id: 'nobody’s' }))).toEqual(['S6'])
    expect(rulesOf({ ...forged, result: 'deny', reason: 'signature_wrong' })).toEqual([])
  })

  test('finds a token that is refused as revoked before anybody asked for that', () => {
    expect(rulesOf(verified(10, refused))).toEqual(['S12'])
    expect(rulesOf(revoked('a'), verified(95, refused))).toEqual([])
  })

  test('finds one place in the log that two revocations got, and places that go back', () => {
    const second = { inv: 200, ret: 210 }
    expect(rulesOf(minted('b'), revoked('a'), revoked('b', second))).toEqual(['S7'])
    expect(rulesOf(minted('b'), revoked('a', { seq: 2 }), revoked('b', { ...second, seq: 1 }))).toEqual(['S7'])
    expect(rulesOf(minted('b'), revoked('a', { seq: 2 }), revoked('b', { ...second, epoch: 2, seq: 1 }))).toEqual([])
    // Calls that overlap may be ordered either way.
    expect(rulesOf(minted('b'), revoked('a', { seq: 2 }), revoked('b', { inv: 95, ret: 110, seq: 1 }))).toEqual([])
    // The same call repeated is answered with the same place.
    expect(rulesOf(revoked('a'), revoked('a', second))).toEqual([])
  })

  test('counts what fell on which side of a promise', () => {
    const unavailable = { id: 'v', result: 'unavailable' } as const
    const tokens = [minted('a'), minted('v'), revoked('a', { wait: 'global' }), fault()]
    const ofRevoked = [verified(150, refused), verified(1_200, refused)]
    const inLease = [verified(1_100, { id: 'v' }), verified(1_500, unavailable)]
    const later = [verified(1_700, { id: 'v' }), verified(2_000, unavailable)]
    const events = [...tokens, ...ofRevoked, ...inLease, ...later]
    expect(checkHistory(events, BOUNDS).counts).toEqual({
      verifications: 6,
      insideBound: 1,
      afterBound: 1,
      afterGlobal: 2,
      leased: 2,
      leasedAnswered: 1,
      unleased: 1,
    })
  })
})

describe('the gates', () => {
  const enough = [minted('a'), revoked('a'), verified(150, refused)]

  test('name each promise that a run did not come near', () => {
    const missed = (...events: readonly HistoryEvent[]): readonly string[] =>
      missedCounts('probes', checkHistory(events, BOUNDS).counts, { insideBound: 1, unleased: 0 })
    expect(missed()).toEqual(['only 0 verifications of probes fell inside the bound after a revocation, 1 are needed'])
    expect(missed(...enough)).toEqual([])
  })

  test('name a fault that took effect too seldom, and one that had no effect', () => {
    expect(missedFaults([], { stopped: 1 })).toEqual(['stopped took effect 0 times, 1 are needed'])
    const stopped = fault({ kind: 'stopped' })
    expect(missedFaults([stopped], { stopped: 1 })).toEqual([])
    expect(missedFaults([stopped, fault({ effect: 0 })], { stopped: 1 })).toEqual([
      'cut both ways of fra had no effect',
    ])
  })
})
