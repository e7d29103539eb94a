import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBundle, encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { bundle, discharge, judged, needs, nested } from './discharges.ts'
import { mint, Node, NOW_MS, outcome } from './fixture.ts'

const seconds = NOW_MS / 1000

describe('properties of bundles', () => {
  const caveats = fc.constantFrom(
    'op = read',
    'op in read,write',
    'op = write',
    `time < ${seconds + 1}`,
    `time < ${seconds - 1}`,
    'note = n',
    '??',
  )
  const accesses = fc.constantFrom({ org: 'acme', op: 'read' }, { org: 'acme', op: 'write' })
  const names = fc.constantFrom('a', 'b', 'c')
  const discharges = fc.record({
    name: names,
    further: fc.array(names, { maxLength: 2 }),
    caveats: fc.array(caveats, { maxLength: 2 }),
  })

  test('attenuation of a token or a discharge never widens, and neither does another third party', () => {
    let [cleared, refused] = [0, 0]
    fc.assert(
      fc.property(
        fc.array(names, { maxLength: 3 }),
        fc.array(discharges, { maxLength: 6 }),
        fc.array(caveats, { minLength: 1, maxLength: 2 }),
        fc.nat(6),
        accesses,
        (needed, given, added, which, access) => {
          const token = needs(mint([]), ...needed)
          const made = given.map(({ name, further, caveats: own }) => nested(name, further, own))
          const text = (root: Macaroon, list: readonly Macaroon[]): string =>
            outcome(new Node().judge(bundle(root, ...list), access))
          const narrower = [
            text(attenuate(token, added), made),
            text(needs(token, 'a'), made),
            text(
              token,
              made.map((one, i) => (i === which ? attenuate(one, added) : one)),
            ),
          ]
          if (!narrower.includes('ok')) return void (refused += 1)
          cleared += 1
          expect(text(token, made)).toBe('ok')
        },
      ),
      { numRuns: 1_500 },
    )
    expect(Math.min(cleared, refused)).toBeGreaterThan(100)
  })

  test('a bundle clears exactly when some choice of discharges does, each serving one caveat', () => {
    interface Given {
      readonly name: string
      readonly further: readonly string[]
      readonly clears: boolean
    }
    const chosen = (goals: readonly string[], free: readonly Given[]): boolean => {
      const [goal, ...rest] = goals
      if (goal === undefined) return true
      return free.some((given, i) => {
        const serves = given.name === goal && given.clears
        return serves && chosen([...given.further, ...rest], free.toSpliced(i, 1))
      })
    }
    const counts = { ok: 0, not: 0 }
    const given = fc.record({ name: names, further: fc.array(names, { maxLength: 2 }), clears: fc.boolean() })
    fc.assert(
      fc.property(fc.array(names, { maxLength: 3 }), fc.array(given, { maxLength: 7 }), (needed, list) => {
        const made = list.map(({ name, further, clears }) => nested(name, further, clears ? [] : ['op = write']))
        const verdict = judged(bundle(needs(mint([]), ...needed), ...made), { op: 'read' })
        const expected = chosen(needed, list)
        counts[expected ? 'ok' : 'not'] += 1
        expect([needed, list, verdict === 'ok']).toEqual([needed, list, expected])
      }),
      { numRuns: 1_500 },
    )
    expect(Math.min(counts.ok, counts.not)).toBeGreaterThan(100)
  })

  const token = needs(mint(['op = read', 'note = n']), 'login')
  const login = nested('login', ['inner'], [`time < ${seconds + 5}`, 'note = login'])
  const list = decodeBundle(bundle(token, login, discharge('inner', ['op in read,write'])))
  const outcomeOf = (changed: readonly Macaroon[]): string =>
    outcome(new Node().judge(encodeBundle(changed), { org: 'acme', op: 'read' }))

  test('any bit changed outside the locations, in the token or a discharge, refuses', () => {
    expect(outcomeOf(list)).toBe('ok')
    const flip = (bytes: Uint8Array, bit: number): Uint8Array => {
      const changed = Uint8Array.from(bytes)
      changed[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return changed
    }
    const refuses = (place: number, macaroon: Macaroon): void =>
      expect(outcomeOf(list.with(place, macaroon))).not.toBe('ok')
    for (const [place, macaroon] of list.entries()) {
      const bits = (bytes: Uint8Array): number[] => Array.from({ length: bytes.length * 8 }, (_, bit) => bit)
      const { identifier, signature, caveats: own } = macaroon
      for (const bit of bits(identifier)) refuses(place, { ...macaroon, identifier: flip(identifier, bit) })
      for (const bit of bits(signature)) refuses(place, { ...macaroon, signature: flip(signature, bit) })
      for (const [i, caveat] of own.entries()) {
        for (const bit of bits(caveat.cid))
          refuses(place, { ...macaroon, caveats: own.with(i, { ...caveat, cid: flip(caveat.cid, bit) }) })
        const { vid } = caveat
        if (vid === undefined) continue
        for (const bit of bits(vid))
          refuses(place, { ...macaroon, caveats: own.with(i, { ...caveat, vid: flip(vid, bit) }) })
        refuses(place, { ...macaroon, caveats: own.with(i, { cid: caveat.cid }) })
      }
    }
  })

  test('locations decide nothing', () => {
    const elsewhere = list.map((macaroon) => ({
      ...macaroon,
      location: 'x',
      caveats: macaroon.caveats.map(({ cid, vid }) => (vid === undefined ? { cid } : { cid, vid, location: 'y' })),
    }))
    expect(outcomeOf(elsewhere)).toBe('ok')
  })

  test('any other order of caveats, one left out, one doubled, or one moved between them, refuses', () => {
    for (const [place, macaroon] of list.entries()) {
      const own = macaroon.caveats
      const others = [
        ...own.map((_, i) => own.toSpliced(i, 1)),
        ...own.map((caveat, i) => own.toSpliced(i, 0, caveat)),
        ...own.flatMap((caveat, i) =>
          own
            .map((_, j) => own.toSpliced(i, 1).toSpliced(j, 0, caveat))
            .filter((order) => order.some((one, k) => one !== own[k])),
        ),
        ...list.flatMap((other) => other.caveats.map((caveat) => [...own, caveat])),
      ]
      expect(others.length).toBeGreaterThan(2)
      for (const order of others) expect(outcomeOf(list.with(place, { ...macaroon, caveats: order }))).not.toBe('ok')
    }
  })

  test('a discharge that is left out, or bound to any other token, refuses', () => {
    for (const place of [1, 2]) expect(outcomeOf(list.toSpliced(place, 1))).not.toBe('ok')
    const other = needs(mint(['op = read', 'note = n']), 'login')
    expect(outcomeOf([other, ...list.slice(1)])).toBe('discharge_invalid')
  })
})
