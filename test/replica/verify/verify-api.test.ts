import { expect, test } from 'vitest'
import { PositionWaiters } from '../../../replica/verify/position-waiters.ts'
import { VerifyApi } from '../../../replica/verify/verify-api.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { Meta } from '../../../shared/database/meta.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { mint, Node, NOW_MS } from '../../shared/verifier/fixture.ts'

const READING = { monotonicMs: 0, boottimeMs: 0, wallMs: NOW_MS }
const META = { epoch: 1, txid: 1, issueClockMs: NOW_MS } as Meta

/** A replica whose lease, age and clock are what the test says; `remaining` is asked for again and again. */
function replica(
  state: {
    readonly remaining?: () => number
    readonly ageMs?: () => number
    readonly doubt?: string
    readonly freshen?: () => void
    readonly waiters?: PositionWaiters
  } = {},
) {
  const { remaining = () => 1_000, ageMs = () => 10, doubt, freshen = () => undefined } = state
  const { waiters = new PositionWaiters(systemClock) } = state
  const tables = Object.assign(new Node(), { meta: META, uninterpretable: undefined, revocationSeq: 0 })
  const time =
    doubt === undefined
      ? ({ credible: true, earliestMs: NOW_MS, latestMs: NOW_MS } as const)
      : ({ credible: false, message: doubt } as const)
  const freshness = { now: () => READING, remainingMs: remaining, ageMs, time: () => time, freshen }
  return new VerifyApi({ node: 'fra', region: 'fra', tables, freshness, waiters })
}

function asked(...caveats: readonly string[]): object {
  return { token: encodeTokenText(mint(caveats)), access: { org: 'acme' } }
}

test('with a lease and a credible time a token is judged', () => {
  expect(replica().verify(asked())).toMatchObject({ ok: true, epoch: 1, revocationSeq: 0 })
})

test.each([
  ['without a lease', { remaining: () => 0 }, /lease/],
  ['in doubt of its clock', { doubt: 'it jumped' }, /it jumped/],
])('%s every verdict is unavailable, also of a forged token, and an explanation says why', (_, state, message) => {
  for (const token of [asked(), { token: 'mcn1_AA', access: { org: 'acme' } }]) {
    expect(replica(state).verify(token)).toMatchObject({ ok: false, reason: 'unavailable', message })
    expect(replica(state).explain(token)).toMatchObject({ unavailable: { reason: 'unavailable', message } })
  }
})

test('a lease that ran out while the verdict was computed takes the verdict back', () => {
  let looks = 0
  const remaining = (): number => (looks++ === 0 ? 1 : 0)
  expect(replica({ remaining }).verify(asked())).toMatchObject({ ok: false, reason: 'unavailable' })
  looks = 0
  expect(replica({ remaining }).explain(asked())).toMatchObject({ unavailable: { reason: 'unavailable' } })
})

test('a caveat that needs a fresher state asks the primary, and is judged by the new state', async () => {
  let age = 900
  let asks = 0
  const waiters = new PositionWaiters(systemClock)
  const api = replica({ ageMs: () => age, freshen: () => (asks += 1), waiters })
  const verdict = api.verify(asked('staleness <= 500ms'))
  const explained = api.explain(asked('staleness <= 500ms'))
  expect(verdict).toBeInstanceOf(Promise)
  age = 5
  waiters.wake()
  expect(await verdict).toMatchObject({ ok: true })
  expect(await explained).toMatchObject({ verdict: { ok: true } })
  expect(asks).toBeGreaterThan(0)
})

test('when no fresher state comes in time the answer is that nothing is known', async () => {
  expect(await replica({ ageMs: () => 900 }).verify(asked('staleness <= 500ms'))).toMatchObject({
    ok: false,
    reason: 'unavailable',
  })
})

test('a state that is fresh enough causes no request to the primary', () => {
  const freshen = (): void => expect.unreachable('asked for nothing')
  expect(replica({ freshen }).verify(asked('staleness <= 500ms'))).toMatchObject({ ok: true })
})
