import { describe, expect, test } from 'vitest'
import { CAVEATS_TOTAL_MAX, HMACS_TOTAL_MAX } from '../../../shared/limits.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { addThirdPartyCaveat } from '../../../shared/macaroon/third-party.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { judgeExact, verifyWithKey } from '../../../shared/verifier/with-key.ts'
import type { WorkLimits } from '../../../shared/verifier/work.ts'
import { ONLINE_WORK } from '../../../shared/verifier/work.ts'
import { bundle, discharge, needs, nested } from './discharges.ts'
import { mint, Node, outcome } from './fixture.ts'

describe('work', () => {
  const secret = Buffer.from('root')
  const root = createMacaroon({ secret, identifier: 'root' })
  const limits = (changes: Partial<WorkLimits>): WorkLimits => ({ ...ONLINE_WORK, ...changes })
  const verified = (list: readonly Macaroon[], work: WorkLimits = ONLINE_WORK): string =>
    outcomeOf(verifyWithKey({ bundle: list, rootKey: { secret }, judge: judgeExact([]), limits: work }))
  const outcomeOf = (result: { ok: true } | { ok: false; reason: string }): string => (result.ok ? 'ok' : result.reason)
  const bound = (token: Macaroon, list: readonly Macaroon[]): Macaroon[] => [
    token,
    ...list.map((one) => bindDischarge(token, one)),
  ]

  test('on ten thousand discharges is not begun', () => {
    const token = encodeBundle([needs(mint([]), 'login')])
    const text = `${token}${`~${encodeBundle([discharge('login')])}`.repeat(10_000)}`
    const explained = new Node().explain(text)
    expect(outcome(explained.verdict)).toBe('token_too_large')
    expect(explained.work).toEqual({ hmacs: 0, trials: 0, comparisons: 0 })
    expect(explained.checks.map(({ check }) => check)).toEqual(['clock', 'encoding'])
    const many = Array.from({ length: 10_000 }, () => discharge('login'))
    expect(verified([needs(root, 'login'), ...many])).toBe('token_too_large')
  })

  test('on more caveats in all than the limit is not begun either', () => {
    const wide = discharge(
      'x',
      Array.from({ length: 99 }, () => 'note = n'),
    )
    const list = Array.from({ length: Math.ceil(CAVEATS_TOTAL_MAX / 99) + 1 }, () => wide)
    expect(verified([needs(root, 'login'), ...list])).toBe('token_too_large')
  })

  test('is not spent on discharges that nothing needs', () => {
    const text = bundle(mint([]), ...Array.from({ length: 64 }, () => nested('a', ['a', 'b'])))
    expect(new Node().explain(text).work).toEqual({ hmacs: 0, trials: 0, comparisons: 0 })
  })

  test('is one verification a discharge where all of them are needed', () => {
    const names = Array.from({ length: 60 }, (_, i) => `n${i}`)
    const text = bundle(needs(mint([]), ...names), ...names.map((name) => discharge(name)))
    const { verdict, work } = new Node().explain(text)
    expect([outcome(verdict), work]).toEqual(['ok', { hmacs: 60 * 4, trials: 60, comparisons: 0 }])
  })

  test('ends where many caveats with one ticket and many keys meet many discharges', () => {
    const caveats = Array.from({ length: 100 }, (_, i) => ({
      caveatKey: Buffer.from(`${i}`),
      ticket: 't',
      location: '',
    }))
    const token = caveats.reduce<Macaroon>((made, caveat) => addThirdPartyCaveat(made, caveat, systemEntropy), mint([]))
    const none = Array.from({ length: 64 }, () =>
      discharge(
        't',
        Array.from({ length: 10 }, () => 'note = n'),
      ),
    )
    const { verdict, work } = new Node().explain(bundle(token, ...none))
    expect(outcome(verdict)).toBe('work_exceeded')
    expect(work.hmacs).toBeLessThanOrEqual(HMACS_TOTAL_MAX)
  })

  test('ends where discharges need one another in every possible order', () => {
    const tangled = Array.from({ length: 60 }, () => nested('t', ['t']))
    const { verdict, work } = new Node().explain(bundle(needs(mint([]), 't'), ...tangled))
    expect(outcome(verdict)).toBe('work_exceeded')
    expect(work.trials).toBe(ONLINE_WORK.trials)
  })

  test('has limits that count exactly', () => {
    const token = needs(root, 'login')
    const list = bound(token, [discharge('login')])
    expect(verified(list, limits({ hmacs: 4, trials: 1, discharges: 1, caveats: 1, depth: 1 }))).toBe('ok')
    expect(verified(list, limits({ hmacs: 3 }))).toBe('work_exceeded')
    expect(verified(list, limits({ trials: 0 }))).toBe('work_exceeded')
    expect(verified(list, limits({ depth: 0 }))).toBe('work_exceeded')
    expect(verified(list, limits({ discharges: 0 }))).toBe('token_too_large')
    expect(verified(list, limits({ caveats: 0 }))).toBe('token_too_large')
  })
})
