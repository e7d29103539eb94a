import { describe, expect, test } from 'vitest'
import type { Command, Minted, OrgCreated } from '../../../primary/authority/commands.ts'
import { parseTokenId, type Kid, type Nonce } from '../../../shared/ids.ts'
import { UNRECORDED_AT_ONCE } from '../../../shared/limits.ts'
import { ACTOR, Authority, imageOf, NOW_MS } from './fixture.ts'
import { codeOf } from '../../shared/code-of.ts'

const MINUTE = 60_000

class Tester extends Authority {
  readonly kid: Kid

  constructor() {
    super()
    this.kid = (this.createOrg('acme').answer as OrgCreated).kid
  }

  /** Of an id that nobody minted, as far as is on record. */
  revoke(atMs: number, n: number, changes: Partial<Extract<Command, { kind: 'token.revoke' }>> = {}): unknown {
    const nonce = `${atMs.toString(16).padStart(12, '0')}7000800000${n.toString(16).padStart(10, '0')}` as Nonce
    const named = { kid: this.kid, nonce, expiresAt: 0, recorded: false }
    return this.do({ kind: 'token.revoke', actor: ACTOR, reason: '', ...named, ...changes }).answer
  }

  get revocations(): number {
    return this.rows.filter(({ table }) => table === 'revocations').length
  }
}

describe('an id whose mint is not on record', () => {
  test('is refused if its time has not come yet, or was before its key, and changes nothing', () => {
    const tester = new Tester()
    const before = imageOf(tester.state)
    for (const atMs of [NOW_MS + 1, NOW_MS + MINUTE, NOW_MS - MINUTE - 1, 0]) {
      expect(codeOf(() => tester.revoke(atMs, 1))).toBe('request_invalid')
    }
    expect(imageOf(tester.state)).toBe(before)
    for (const atMs of [NOW_MS, NOW_MS - MINUTE]) expect(tester.revoke(atMs, 1)).toMatchObject({ already: false })
  })

  test('may be as late as the issue clock, whatever the wall clock says', () => {
    const tester = new Tester()
    tester.mint()
    tester.nowMs = NOW_MS - 5 * MINUTE
    expect(tester.revoke(NOW_MS, 1)).toMatchObject({ already: false })
  })

  test('has a rate for each org, which fills again, and costs nothing where it is revoked already', () => {
    const tester = new Tester()
    for (let n = 0; n < UNRECORDED_AT_ONCE; n += 1) tester.revoke(NOW_MS, n)
    expect(codeOf(() => tester.revoke(NOW_MS, UNRECORDED_AT_ONCE))).toBe('overloaded')
    expect(tester.revocations).toBe(UNRECORDED_AT_ONCE)
    expect(tester.revoke(NOW_MS, 7)).toMatchObject({ already: true })
    tester.monotonicMs += 2_000
    for (const n of [1, 2]) tester.revoke(NOW_MS, UNRECORDED_AT_ONCE + n)
    expect(codeOf(() => tester.revoke(NOW_MS, UNRECORDED_AT_ONCE + 3))).toBe('overloaded')
  })

  test('never delays a whole token, a recorded id or a cut-off', () => {
    const tester = new Tester()
    for (let n = 0; n < UNRECORDED_AT_ONCE; n += 1) tester.revoke(NOW_MS, n)
    expect(tester.revoke(NOW_MS + MINUTE, 5_000, { proven: true })).toMatchObject({ already: false })
    const { id } = tester.mint().answer as Minted
    const recorded = { ...parseTokenId(id), expiresAt: 0, recorded: true, reason: '' } as const
    expect(tester.do({ kind: 'token.revoke', actor: ACTOR, ...recorded }).answer).toMatchObject({ already: false })
    const cutOff = { org: 'acme', subject: 'alice', untilMs: undefined, reason: '' } as const
    expect(tester.do({ kind: 'issued.revoke', actor: ACTOR, ...cutOff }).answer).toMatchObject({ already: false })
  })
})
