/** Whatever is asked in whatever order: what the cache answers is what a replica with the same state would have answered. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tokenId } from '../../../../shared/ids.ts'
import { bindDischarges } from '../../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../../shared/macaroon/bundle.ts'
import { attenuate } from '../../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../../shared/macaroon/macaroon.ts'
import { discharge, needs } from '../../../shared/verifier/discharges.ts'
import { ACME, freshNonce, mint, NOW_MS, OTHER } from '../../../shared/verifier/fixture.ts'
import type { Hit } from '../../../../replica/worker/cache/verified-tokens.ts'
import { CachedNode } from './fixture.ts'

const SECONDS = NOW_MS / 1000

const caveat = fc.constantFrom(
  'op = read',
  'op in read,write',
  'op? = write',
  'path prefix /a',
  'note = x',
  'region in fra,sin',
  'peer = laptop',
  'staleness <= 100ms',
  'unknown words',
  `time < ${SECONDS + 10}`,
  `time >= ${SECONDS}`,
)

const access = fc.record(
  { op: fc.constantFrom('read', 'write'), path: fc.constantFrom('/a/b', '/c'), org: fc.constantFrom('acme', 'other') },
  { requiredKeys: [] },
)

const context = fc
  .record({
    beforeMs: fc.constantFrom(0, 1),
    afterMs: fc.constantFrom(0, 10_000),
    stalenessMs: fc.constantFrom(0, 200),
  })
  .map(({ beforeMs, afterMs, stalenessMs }) => {
    return { nowEarliestMs: NOW_MS - beforeMs, nowLatestMs: NOW_MS + afterMs, stalenessMs, peer: 'laptop' }
  })

const index = fc.nat(11)

const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('verify' as const), token: index, access, context }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('attenuate' as const), token: index, caveat }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('protect' as const),
      token: index,
      caveats: fc.array(caveat, { maxLength: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), token: index }) },
)

interface Held {
  readonly root: Macaroon
  readonly discharges: readonly Macaroon[]
  readonly name: ReturnType<typeof named>
}

function named(kid = ACME) {
  return { kid, nonce: freshNonce() }
}

function minted(): Held[] {
  const [first, second] = [named(), named(OTHER)]
  const made = { ...named(), ancestors: [first] }
  return [
    { root: mint([], first), discharges: [], name: first },
    { root: mint([], second), discharges: [], name: second },
    { root: mint([], made), discharges: [], name: made },
    { root: mint([], { ...first, expiresAt: SECONDS + 10 }), discharges: [], name: first },
  ]
}

const textOf = ({ root, discharges }: Held): string => encodeBundle(bindDischarges(root, discharges))

function count(seen: Record<string, number>, { kind, verdict }: Hit): void {
  const name = `${kind} ${verdict.ok ? 'accepted' : 'refused'}`
  seen[name] = (seen[name] ?? 0) + 1
}

test('every answer of the cache is the one of a fresh verification', () => {
  const seen: Record<string, number> = {}
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 30, maxLength: 120 }),
      fc.integer({ min: 1, max: 12 }),
      (steps, entries) => {
        const cached = new CachedNode({ entries, bytes: 1e6 })
        const held = minted()
        const at = (place: number): Held => held[place % held.length] as Held
        for (const now of steps) {
          const { root, discharges, name } = at(now.token)
          if (now.do === 'verify') {
            const text = textOf(at(now.token))
            const hit = cached.hit(text, now.access, now.context)
            const fresh = cached.ask(text, now.access, now.context)
            if (hit !== undefined) expect(hit.verdict).toEqual(fresh)
            if (hit !== undefined) count(seen, hit)
          } else if (now.do === 'attenuate') {
            held.push({ root: attenuate(root, [now.caveat]), discharges, name })
          } else if (now.do === 'protect') {
            const party = `party ${held.length % 3}`
            held.push({ root: needs(root, party), discharges: [...discharges, discharge(party, now.caveats)], name })
          } else {
            cached.node.revocations.add(name.kid, name.nonce)
            cached.tokens.dropNamed(tokenId(name.kid, name.nonce))
          }
        }
      },
    ),
    { numRuns: 300 },
  )
  for (const kind of ['exact', 'prefix']) {
    for (const outcome of ['accepted', 'refused']) expect(seen[`${kind} ${outcome}`]).toBeGreaterThan(50)
  }
})
