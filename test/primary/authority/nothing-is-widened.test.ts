/** A token that the authority makes from another one never allows more, over random tokens, conditions and accesses. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tablesOf } from '../../../primary/authority/state.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { tokenId } from '../../../shared/ids.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { type Context, readForeignFacts } from '../../../shared/verifier/access.ts'
import { WorkBudget } from '../../../shared/verifier/work.ts'
import { judgeByFacts } from '../../../shared/verifier/facts-judge.ts'
import { isUpperTimeBound } from '../../../primary/authority/partial-judge.ts'
import { isRefused } from '../../../shared/verifier/verdict.ts'
import { judge } from '../../../shared/verifier/verifier.ts'
import { verifyWithKey } from '../../../shared/verifier/with-key.ts'
import { NOW_MS } from './fixture.ts'
import { PRESENTER, storeToken, STORE_SECRET, Tenants, withLogin } from './presented.ts'

type Values = Readonly<Record<string, readonly string[]>>

const VALUES = {
  op: ['read', 'write', 'list'],
  kind: ['secret', 'key'],
  machine: ['m1', 'm2'],
  app: ['web', 'my mail'],
  path: ['/a', '/a/b', '/ab'],
  size: ['1', '2', '1..3', '5'],
} as const satisfies Values
type Key = keyof typeof VALUES

/** Every case has an authority and key pairs of its own: a second on an idle machine. */
const SLOW = { timeout: 60_000 }
const second = NOW_MS / 1000
const mark = fc.constantFrom('', '?')
const some = <T>(values: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...values], { minLength: 1 })

const onWords = fc
  .constantFrom('op', 'kind', 'machine', 'app')
  .chain((key) => fc.tuple(fc.constant(key), mark, some<string>(VALUES[key as Key])))
  .map(([key, m, words]) => `${key}${m} in ${words.join(',')}`)

/** Over domains so small that both clearing and refusing are common. */
const predicates: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: onWords },
  fc
    .tuple(mark, fc.constantFrom('prefix', '='), fc.constantFrom(...VALUES.path))
    .map(([m, op, p]) => `path${m} ${op} ${p}`),
  fc.tuple(mark, fc.constantFrom('<', '<=', '>', '>='), fc.nat(5)).map(([m, op, n]) => `size${m} ${op} ${n}`),
  fc.integer({ min: 0, max: 80 }).map((after) => `time < ${second + after}`),
  fc.constantFrom(`time >= ${second}`, `time > ${second + 9}`, `time-before 2027-01-15T08:00:20Z`),
  fc.constantFrom('tenant = acme', 'tenant in acme,globex', 'org? = acme', 'org in acme,globex', 'note = n'),
  fc.constantFrom(`peer = ${PRESENTER}`, 'peer? = another', 'region in fra,sin', 'region? = sin', 'staleness <= 500ms'),
  fc.constantFrom('presented = 0011223344556677.018bcfe5680070008000000000000001', 'no predicate'),
)
const caveats = fc.array(predicates, { maxLength: 3 })

const asked: fc.Arbitrary<Values> = fc
  .tuple(some(Object.keys(VALUES) as Key[]), fc.array(fc.nat(), { minLength: 6, maxLength: 6 }))
  .map(([keys, picks]) =>
    Object.fromEntries(keys.slice(0, 3).map((key, i) => [key, picked(VALUES[key], picks[i] ?? 0)])),
  )

/** One or two of them. */
function picked(values: readonly string[], pick: number): readonly string[] {
  const [first = '', second = ''] = [values[pick % values.length], values[(pick >> 8) % values.length]]
  return pick % 3 === 0 && first !== second ? [first, second] : [first]
}

const access: fc.Arbitrary<Values> = fc
  .record(
    Object.fromEntries(
      Object.entries(VALUES).map(([key, values]) => [key, some<string>(values).map((all) => all.slice(0, 2))]),
    ),
    { requiredKeys: [] },
  )
  .map((values) => values as Values)

const context: fc.Arbitrary<Context> = fc
  .record({
    afterMs: fc.oneof(fc.constant(0), fc.nat(90_000)),
    region: fc.constantFrom('fra', 'sin', 'nyc'),
    peer: fc.constantFrom(PRESENTER, 'another'),
    stalenessMs: fc.constantFrom(10, 5_000),
  })
  .map(({ afterMs, ...stated }) => ({ nowEarliestMs: NOW_MS + afterMs, nowLatestMs: NOW_MS + afterMs, ...stated }))

interface Shown {
  readonly ttlSeconds: number
  readonly own: readonly string[]
  /** Caveats of the discharge of its login; undefined for a token that needs none. */
  readonly login: readonly string[] | undefined
  /** Whether the login is exchanged for a service token first. */
  readonly exchanged: boolean
}

const shown: fc.Arbitrary<Shown> = fc.record({
  ttlSeconds: fc.constantFrom(0, 20, 600),
  own: caveats,
  login: fc.option(caveats, { nil: undefined }),
  exchanged: fc.boolean(),
})

function bundleOf(tenants: Tenants, { ttlSeconds, own, login, exchanged }: Shown): string {
  const minted = tenants.mint({ org: 'acme', ttlSeconds }).answer as { readonly token: string }
  const token = encodeTokenText(attenuate(decodeTokenText(minted.token), own))
  if (login === undefined) return token
  const bundle = withLogin(token, login)
  return exchanged ? (unlessRefused(() => tenants.exchange(bundle))?.token ?? bundle) : bundle
}

function conditionOf(values: Values): string {
  const pairs = Object.entries(values).flatMap(([key, all]) => all.map((one) => `${key}=${encodeURIComponent(one)}`))
  return `may ${pairs.join('&')}`
}

/** The token itself, or the one that it was made from. */
function eldestOf(bundle: string): string {
  const identifier = decodeIdentifier(decodeBundle(bundle)[0]?.identifier ?? new Uint8Array())
  const { kid, nonce } = identifier.ancestors.at(-1) ?? identifier
  return tokenId(kid, nonce)
}

/** What it returns, or nothing where the authority refuses. */
function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'token_refused') return undefined
    throw error
  }
}

test('every token presented for a discharge clears wherever the authority’s discharge clears', SLOW, () => {
  const seen = { cleared: 0, refused: 0, earnedNothing: 0 }
  const cases = fc.record({
    tokens: fc.array(shown, { minLength: 1, maxLength: 2 }),
    asked,
    more: access,
    tenant: fc.constantFrom('acme', 'acme', 'acme', 'globex'),
    context,
    unrevoked: fc.boolean(),
    revoked: fc.boolean(),
  })
  fc.assert(
    fc.property(cases, ({ tokens, asked, more, tenant, context, unrevoked, revoked }) => {
      const tenants = new Tenants()
      const root = storeToken(tenants.addStore({ unrevoked }), conditionOf(asked))
      const bundles = tokens.map((one) => bundleOf(tenants, one))
      const discharged = unlessRefused(() => tenants.discharge(root, bundles))
      if (discharged === undefined) {
        seen.earnedNothing += 1
        // Nor is the authority stricter: only what cannot be used here and now earns nothing.
        const here = { ...context, nowEarliestMs: NOW_MS, nowLatestMs: NOW_MS, peer: PRESENTER }
        const request = { access: { ...more, ...asked, org: 'acme' } }
        const clears = (token: string): boolean => judge({ token, ...request }, tablesOf(tenants.state), here).ok
        expect(bundles.every(clears)).toBe(false)
        return
      }
      // A service without the revocations goes on for the minute that a discharge lasts.
      if (unrevoked && revoked) tenants.revoke(eldestOf(bundles.at(-1) ?? ''))
      const access = { ...more, ...asked, org: tenant }
      const facts = readForeignFacts(access, context)
      if (isRefused(facts)) throw new Error(facts.message)
      const tables = tablesOf(tenants.state)
      const bundle = bindDischarges(root, [decodeTokenText(discharged.discharge)])
      const cleared = verifyWithKey({ bundle, rootKey: { secret: STORE_SECRET }, judge: judgeByFacts(facts, tables) })
      if (!cleared.ok) return void (seen.refused += 1)
      seen.cleared += 1
      for (const token of bundles) expect(judge({ token, access }, tables, context)).toMatchObject({ ok: true })
    }),
    { numRuns: 400 },
  )
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(10)
})

test('whatever a service token clears for, all that is left of its bundle clears for', () => {
  const seen = { cleared: 0, refused: 0, notExchanged: 0 }
  const cases = fc.record({
    shown,
    login: caveats,
    ttlSeconds: fc.constantFrom(10, 60, 3_600),
    more: access,
    tenant: fc.constantFrom('acme', 'acme', 'acme', 'globex'),
    context,
  })
  fc.assert(
    fc.property(cases, ({ shown, login, ttlSeconds, more, tenant, context }) => {
      const tenants = new Tenants()
      const bundle = bundleOf(tenants, { ...shown, login, exchanged: false })
      const exchanged = unlessRefused(() => tenants.exchange(bundle, { ttlSeconds }))
      if (exchanged === undefined) return void (seen.notExchanged += 1)
      const access = { ...more, org: tenant }
      const tables = tablesOf(tenants.state)
      if (!judge({ token: exchanged.token, access }, tables, context).ok) return void (seen.refused += 1)
      seen.cleared += 1
      const facts = readForeignFacts(access, context)
      if (isRefused(facts)) throw new Error(facts.message)
      expect(tenant).toBe('acme')
      expect(context.nowLatestMs).toBeLessThan(exchanged.expiresAt * 1000)
      const [root, discharge] = decodeBundle(bundle)
      const left = [
        ...(root?.caveats ?? []).filter(({ vid }) => vid === undefined),
        ...(discharge?.caveats ?? []).filter(({ cid }) => !isUpperTimeBound(cid)),
      ]
      expect(left).toHaveLength(shown.own.length + login.filter((text) => !/^time(?: <|-before)/.test(text)).length)
      for (const { cid } of left)
        expect(judgeByFacts(facts, tables).judge(cid, new WorkBudget())).toMatchObject({ ok: true })
    }),
    { numRuns: 400 },
  )
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(10)
})
