import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../shared/crypto.ts'
import { tokenId } from '../../../shared/ids.ts'
import { CAVEATS_TOTAL_MAX, DISCHARGE_DEPTH_MAX, HMACS_TOTAL_MAX } from '../../../shared/limits.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import { decodeBundle, encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { attenuate, createMacaroon, type Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { judgeExact, verifyWithKey } from '../../../shared/verifier/with-key.ts'
import type { WorkLimits } from '../../../shared/verifier/work.ts'
import { ONLINE_WORK } from '../../../shared/verifier/work.ts'
import { bundle, discharge, needs, nested } from './discharges.ts'
import { ACME, entry, freshNonce, mint, Node, NOW_MS, OTHER, outcome } from './fixture.ts'

const seconds = NOW_MS / 1000
const judged = (text: string, access: object = {}, node: Node = new Node()): string =>
  outcome(node.judge(text, { org: 'acme', ...access }))
const ticketOf = (name: string): string => sha256(Buffer.from(name)).toString('hex', 0, 16)

describe('a token with third-party caveats', () => {
  test('clears with a discharge for each of them, in any order, whatever else comes along', () => {
    const token = needs(mint(['op = read']), 'login', 'store')
    const all = [discharge('login'), discharge('store'), discharge('unused'), discharge('login')]
    expect(judged(bundle(token, ...all), { op: 'read' })).toBe('ok')
    expect(judged(bundle(token, ...all.toReversed()), { op: 'read' })).toBe('ok')
    expect(judged(bundle(token, ...all), { op: 'write' })).toBe('caveat_refused')
  })

  test('does not clear without one of them, and is told which one, and where it is had', () => {
    const verdict = new Node().judge(bundle(needs(mint([]), 'login', 'store'), discharge('login')))
    expect(verdict).toMatchObject({
      reason: 'discharge_missing',
      wanted: 'a discharge from https://store.example',
      thirdParty: { location: 'https://store.example', ticket: ticketOf('store') },
    })
  })

  test('is judged by the caveats of its discharges too, and told in which one a caveat refused', () => {
    const token = needs(mint([]), 'login')
    const text = bundle(token, discharge('login', ['op = read', `time < ${seconds + 5}`]))
    expect(judged(text, { op: 'read' })).toBe('ok')
    expect(new Node().judge(text, { org: 'acme', op: 'write' })).toMatchObject({
      reason: 'caveat_refused',
      caveat: 'op = read',
      thirdParty: { location: 'https://login.example', ticket: ticketOf('login') },
    })
    const late = { nowEarliestMs: NOW_MS, nowLatestMs: NOW_MS + 5_000 }
    expect(outcome(new Node().judge(text, { org: 'acme', op: 'read' }, late))).toBe('caveat_refused')
  })

  test('does not clear with a discharge that is not bound, or bound before it was attenuated, or to another token', () => {
    const token = needs(mint([]), 'login')
    const login = discharge('login')
    const invalid = [
      encodeBundle([token, login]),
      encodeBundle([attenuate(token, ['note = n']), bindDischarge(token, login)]),
      encodeBundle([token, bindDischarge(needs(mint([]), 'login'), login)]),
      encodeBundle([token, bindDischarge(token, bindDischarge(token, login))]),
      bundle(token, discharge('login', [], 'another key')),
    ]
    expect(invalid.map((text) => judged(text))).toEqual(invalid.map(() => 'discharge_invalid'))
    expect(judged(bundle(token, login))).toBe('ok')
  })

  test('counts any valid one of several discharges for a ticket', () => {
    const token = needs(mint([]), 'login')
    const valid = discharge('login', ['op = read'])
    const others = [
      discharge('login', [`time < ${seconds - 1}`]),
      discharge('login', ['no predicate at all']),
      discharge('login', [], 'another key'),
      nested('login', ['more']),
    ]
    for (let at = 0; at <= others.length; at += 1)
      expect(judged(bundle(token, ...others.toSpliced(at, 0, valid)), { op: 'read' })).toBe('ok')
    // What came nearest is told: the one that lacks a further discharge.
    expect(judged(bundle(token, ...others), { op: 'read' })).toBe('discharge_missing')
  })

  test('clears when any choice of discharges does, also where the first ones would not leave enough for the others', () => {
    const token = needs(mint([]), 'a', 'b')
    const greedy = nested('a', ['b'])
    expect(judged(bundle(token, greedy, discharge('a'), discharge('b')))).toBe('ok')
    expect(judged(bundle(token, greedy, discharge('b')))).toBe('discharge_missing')
    expect(judged(bundle(token, greedy, discharge('b'), discharge('b')))).toBe('ok')
  })

  test('clears also where the shallow caveat has to leave the simpler discharge to the deep one', () => {
    const names = Array.from({ length: DISCHARGE_DEPTH_MAX - 1 }, (_, i) => `n${i}`)
    const chain = names.map((name, i) => nested(name, [names[i + 1] ?? 'a']))
    const token = needs(mint([]), 'a', 'n0')
    expect(judged(bundle(token, discharge('a'), nested('a', ['b']), discharge('b'), ...chain))).toBe('ok')
  })

  test('with two keys behind one ticket needs a discharge made with each of them', () => {
    const caveat = (key: string) => ({ caveatKey: Buffer.from(`key of ${key}`), ticket: 't', location: '' })
    const first = addThirdPartyCaveat(mint([]), caveat('t'), systemEntropy)
    const token = addThirdPartyCaveat(first, caveat('other'), systemEntropy)
    expect(judged(bundle(token, discharge('t'), discharge('t')))).toBe('discharge_invalid')
    expect(judged(bundle(token, discharge('t'), discharge('t', [], 'other')))).toBe('ok')
    expect(judged(bundle(token, discharge('t', [], 'other'), discharge('t')))).toBe('ok')
  })

  test('is told what is missing, in little work, however many discharges there are for the others', () => {
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`)
    const twice = names.flatMap((name) => [discharge(name), discharge(name)])
    const { verdict, work } = new Node().explain(bundle(needs(mint([]), ...names, 'missing'), ...twice))
    expect(verdict).toMatchObject({ reason: 'discharge_missing', thirdParty: { location: 'https://missing.example' } })
    expect(work.trials).toBe(20)
  })

  test('counts a discharge once: two caveats with one ticket need two', () => {
    const token = needs(mint([]), 'login', 'login')
    const one = new Node().judge(bundle(token, discharge('login')))
    expect(one).toMatchObject({ reason: 'discharge_missing', message: expect.stringContaining('once') })
    expect(judged(bundle(token, discharge('login'), discharge('login')))).toBe('ok')
  })

  test('frees what a discharge took that does not clear', () => {
    const token = needs(mint([]), 'a', 'b')
    const takesB = nested('a', ['b'], ['op = write'])
    expect(judged(bundle(token, takesB, discharge('a'), discharge('b')), { op: 'read' })).toBe('ok')
  })

  test('says "unavailable", not "refused", while one of several discharges may clear on a fresher state', () => {
    const token = needs(mint([]), 'login')
    const stale = discharge('login', ['staleness <= 500ms'])
    const expired = discharge('login', [`time < ${seconds - 1}`])
    for (const list of [
      [stale, expired],
      [expired, stale],
    ]) {
      const verdict = new Node().judge(bundle(token, ...list), { org: 'acme' }, { stalenessMs: 1_000 })
      expect(verdict).toMatchObject({ reason: 'unavailable', stalenessWantedMs: 500 })
    }
  })

  test('reports the notes of the discharges that served, and of no other', () => {
    const token = needs(mint(['note = own']), 'login')
    const failing = discharge('login', ['note = failing', 'op = write'])
    const verdict = new Node().judge(bundle(token, failing, discharge('login', ['note = served']), discharge('x')), {
      org: 'acme',
      op: 'read',
    })
    expect(verdict).toMatchObject({ ok: true, notes: ['own', 'served'] })
  })

  test('is revoked and expires before its discharges are looked at', () => {
    const node = new Node()
    const nonce = freshNonce()
    node.revocations.add(ACME, nonce)
    expect(judged(bundle(needs(mint([], { nonce }), 'login')), {}, node)).toBe('revoked')
    expect(judged(bundle(needs(mint([], { expiresAt: 1 }), 'login')))).toBe('expired')
  })
})

describe('nested discharges', () => {
  test('clear as deep as the limit, and no deeper', () => {
    const chain = (length: number): string => {
      const names = Array.from({ length }, (_, i) => `n${i}`)
      const links = names.map((name, i) => (i + 1 < length ? nested(name, [`n${i + 1}`]) : discharge(name)))
      return bundle(needs(mint([]), 'n0'), ...links)
    }
    expect(judged(chain(DISCHARGE_DEPTH_MAX))).toBe('ok')
    expect(judged(chain(DISCHARGE_DEPTH_MAX + 1))).toBe('work_exceeded')
  })

  test('are bound to the token, not to the discharge that needs them', () => {
    const token = needs(mint([]), 'outer')
    const outer = nested('outer', ['inner'])
    const inner = discharge('inner')
    const boundOuter = bindDischarge(token, outer)
    expect(judged(encodeBundle([token, boundOuter, bindDischarge(token, inner)]))).toBe('ok')
    for (const parent of [outer, boundOuter])
      expect(judged(encodeBundle([token, boundOuter, bindDischarge(parent, inner)]))).toBe('discharge_invalid')
  })

  test('that need each other in a circle do not clear', () => {
    const token = needs(mint([]), 'a')
    expect(judged(bundle(token, nested('a', ['a'])))).toBe('discharge_missing')
    expect(judged(bundle(token, nested('a', ['b']), nested('b', ['a'])))).toBe('discharge_missing')
    expect(judged(bundle(token, nested('a', ['b']), nested('b', ['a']), discharge('a')))).toBe('ok')
  })
})

describe('a discharge in the place of a token', () => {
  test('is refused, also when its ticket reads like the identifier of a token', () => {
    const ticket = encodeIdentifier({ kid: ACME, nonce: freshNonce(), expiresAt: 0, ancestors: [], subject: 'mallory' })
    expect(judged(bundle(createDischarge({ ticket, caveatKey: Buffer.from('k') })))).toBe('signature_wrong')
    expect(judged(bundle(discharge('login')))).toBe('token_malformed')
    const token = needs(mint([]), 'login')
    expect(judged(encodeBundle([bindDischarge(token, discharge('login')), token]))).toBe('token_malformed')
  })
})

describe('what discharges say of tokens', () => {
  const [presented, another] = [tokenId(ACME, freshNonce()), tokenId(ACME, freshNonce())]
  const token = needs(mint([]), 'authority')

  test('is reported as long as it stands in front: a holder can only append', () => {
    const words = [`presented = ${presented}`, `presented = ${another}`, 'tenant = acme', `presented = ${presented}`]
    const verdict = new Node().judge(bundle(token, discharge('authority', words)))
    expect(verdict).toMatchObject({ ok: true, presented: [presented, another] })
    const appended = new Node().judge(bundle(token, discharge('authority', words.slice(2))))
    expect(appended.ok && appended.presented).toBeUndefined()
  })

  test('is not reported of the token itself, whose holder may write anything', () => {
    const verdict = new Node().judge(mint([`presented = ${presented}`]))
    expect(verdict.ok).toBe(true)
    expect(verdict).not.toHaveProperty('presented')
  })

  test('opens only for the tenant that it was given for', () => {
    const text = bundle(token, discharge('authority', ['tenant = acme']))
    expect(judged(text)).toBe('ok')
    expect(judged(bundle(token, discharge('authority', ['tenant = other'])))).toBe('caveat_refused')
    expect(judged(text, { tenant: 'acme' })).toBe('access_malformed')
    const other = needs(mint([], { kid: OTHER }), 'authority')
    const node = new Node()
    expect(outcome(node.judge(bundle(other, discharge('authority', ['tenant = acme'])), { org: 'other' }))).toBe(
      'caveat_refused',
    )
  })

  test('ends with the token that it goes back to', () => {
    const node = new Node()
    const nonce = freshNonce()
    const text = bundle(token, discharge('authority', [`unrevoked = ${tokenId(ACME, nonce)}`]))
    expect(judged(text, {}, node)).toBe('ok')
    node.revocations.add(ACME, nonce)
    expect(judged(text, {}, node)).toBe('revoked')
    const elsewhere = bundle(token, discharge('authority', [`unrevoked = ${tokenId(OTHER, nonce)}`]))
    expect(judged(elsewhere, {}, node)).toBe('ok')
    node.keys.replace([
      [ACME, entry(ACME)],
      [OTHER, entry(OTHER, { state: 'retired' })],
    ])
    expect(judged(elsewhere, {}, node)).toBe('key_retired')
    node.keys.replace([[ACME, entry(ACME)]])
    expect(node.judge(elsewhere)).toMatchObject({ reason: 'key_unknown', issuedAtMs: expect.any(Number) })
  })
})

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
    expect(explained.work).toEqual({ hmacs: 0, trials: 0 })
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
    expect(new Node().explain(text).work).toEqual({ hmacs: 0, trials: 0 })
  })

  test('is one verification a discharge where all of them are needed', () => {
    const names = Array.from({ length: 60 }, (_, i) => `n${i}`)
    const text = bundle(needs(mint([]), ...names), ...names.map((name) => discharge(name)))
    const { verdict, work } = new Node().explain(text)
    expect([outcome(verdict), work]).toEqual(['ok', { hmacs: 60 * 4, trials: 60 }])
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

  test('attenuation of the token or of a discharge never widens, and neither does a further third party', () => {
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
