import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { encodeV2 } from '../../../shared/macaroon/v2-writer.ts'
import { mint, Node, NOW_MS, outcome } from './fixture.ts'

const second = NOW_MS / 1000
const small = fc.integer({ min: 0, max: 6 })
const range = fc.tuple(small, small).map(([a, b]) => `${Math.min(a, b)}..${Math.max(a, b)}`)
const ops = fc.constantFrom('read', 'write', 'list')
const paths = fc.constantFrom('/a/', '/a', '/a/b', '/a/b/', '/b', '/ab', '/a/../b', '/a/%2e%2e/b')
const mark = fc.constantFrom('', '', '?')

/** Predicates over domains so small that both clearing and refusing are common. */
const predicates: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(mark, fc.uniqueArray(ops, { minLength: 1 })).map(([m, list]) => `op${m} in ${list.join(',')}`),
  fc.tuple(mark, ops).map(([m, op]) => `op${m} = ${op}`),
  fc.tuple(mark, paths).map(([m, path]) => `path${m} prefix ${path}`),
  fc.tuple(mark, range).map(([m, r]) => `chunk${m} in ${r}`),
  fc.tuple(mark, fc.constantFrom('<', '<=', '>', '>='), small).map(([m, op, n]) => `size${m} ${op} ${n}`),
  fc
    .tuple(fc.constantFrom('<', '<=', '>', '>='), fc.integer({ min: -2, max: 2 }))
    .map(([op, d]) => `time ${op} ${second + d}`),
  fc.constantFrom(
    'ip? in 10.0.0.0/8',
    'ip in ::/0',
    'region in fra,sin',
    'region? = sin',
    'note = n',
    'app? = web',
    'staleness <= 500ms',
  ),
  fc.string({ maxLength: 12 }),
)

const several = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | T[]> =>
  fc.oneof(one, fc.array(one, { minLength: 1, maxLength: 3 }))
const accesses = fc.record(
  {
    org: fc.constant('acme'),
    op: several(ops),
    path: several(paths),
    chunk: several(range),
    size: small.map(String),
    ip: fc.constantFrom('10.1.2.3', '11.1.2.3', '::ffff:10.0.0.1', '2001:db8::1'),
    app: fc.constantFrom('web', 'mail'),
  },
  { requiredKeys: ['org', 'op', 'path', 'chunk', 'size'] },
)

describe('attenuation', () => {
  test('never widens: whatever the attenuated token may, its parent may', () => {
    const node = new Node()
    let cleared = 0
    let refused = 0
    fc.assert(
      fc.property(
        fc.array(predicates, { maxLength: 3 }),
        fc.array(predicates, { maxLength: 2 }),
        accesses,
        (own, added, access) => {
          const parent = mint(own)
          const child = outcome(node.judge(attenuate(parent, added), access, { stalenessMs: 100 }))
          if (child !== 'ok') return void (refused += 1)
          cleared += 1
          expect(outcome(node.judge(parent, access, { stalenessMs: 100 }))).toBe('ok')
        },
      ),
      { numRuns: 4_000 },
    )
    expect(Math.min(cleared, refused)).toBeGreaterThan(200)
  })

  test('a token clears exactly where every caveat alone would clear', () => {
    const node = new Node()
    fc.assert(
      fc.property(fc.array(predicates, { minLength: 2, maxLength: 4 }), accesses, (caveats, access) => {
        const clears = (list: readonly string[]): boolean => node.judge(mint(list), access, { stalenessMs: 100 }).ok
        expect(clears(caveats)).toBe(caveats.every((caveat) => clears([caveat])))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a token that was changed', () => {
  const token = mint(['op in read,write', 'path prefix /a/', 'chunk in 1..5'], {
    expiresAt: second + 60,
    subject: 'älice',
  })
  const access = { org: 'acme', op: 'read', path: '/a/b', chunk: '1..5' }
  const judged = (bytes: Uint8Array): string => outcome(new Node().judge(encodeBase64Url(bytes), access))

  test('by any one bit outside the text of its location is refused', () => {
    const bytes = encodeV2(token)
    expect(judged(bytes)).toBe('ok')
    const locationBytes = Buffer.byteLength(token.location)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const at = bit >> 3
      const changed = Uint8Array.from(bytes)
      changed[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
      const inLocation = at >= 3 && at < 3 + locationBytes
      if (!inLocation) expect([bit, judged(changed)]).not.toEqual([bit, 'ok'])
    }
  })

  test('in the order of its caveats, or by leaving one out, is refused', () => {
    const orders = fc.shuffledSubarray([...token.caveats], { minLength: 0 })
    fc.assert(
      fc.property(orders, (caveats) => {
        const same = caveats.length === 3 && caveats.every((caveat, i) => caveat === token.caveats[i])
        const changed: Macaroon = { ...token, caveats }
        expect(judged(encodeV2(changed))).toBe(same ? 'ok' : 'signature_wrong')
      }),
    )
  })
})
