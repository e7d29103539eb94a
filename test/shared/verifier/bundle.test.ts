import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../shared/crypto.ts'
import { tokenId } from '../../../shared/ids.ts'
import { DISCHARGE_DEPTH_MAX } from '../../../shared/limits.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { bundle, discharge, judged, needs, nested } from './discharges.ts'
import { ACME, entry, freshNonce, mint, Node, NOW_MS, OTHER, outcome } from './fixture.ts'

const seconds = NOW_MS / 1000
const ticketOf = (name: string): string => sha256(Buffer.from(name)).toString('hex', 0, 16)

describe('a token with third-party caveats', () => {
  test('clears with a discharge for each of them, in any order, whatever else comes along', () => {
    const token = needs(mint(['op = read']), 'login', 'store')
    const all = [discharge('login'), discharge('store'), discharge('unused'), discharge('login')]
    expect(judged(bundle(token, ...all), { op: 'read' })).toBe('ok')
    expect(judged(bundle(token, ...all.toReversed()), { op: 'read' })).toBe('ok')
    expect(judged(bundle(token, ...all), { op: 'write' })).toBe('caveat_refused')
  })

  test('does not clear without one of them, and the verdict names it and its location', () => {
    const verdict = new Node().judge(bundle(needs(mint([]), 'login', 'store'), discharge('login')))
    expect(verdict).toMatchObject({
      reason: 'discharge_missing',
      wanted: 'a discharge from https://store.example',
      thirdParty: { location: 'https://store.example', ticket: ticketOf('store') },
    })
  })

  test('is judged by the caveats of its discharges too, and the verdict names the refusing one', () => {
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

  test('does not clear with a discharge that is unbound, bound too early, or bound elsewhere', () => {
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

  test('clears when any choice of discharges does, even if the first leave too few for the others', () => {
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

  test('names the missing discharge with little work, however many there are for the others', () => {
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`)
    const twice = names.flatMap((name) => [discharge(name), discharge(name)])
    const { verdict, work } = new Node().explain(bundle(needs(mint([]), ...names, 'missing'), ...twice))
    expect(verdict).toMatchObject({ reason: 'discharge_missing', thirdParty: { location: 'https://missing.example' } })
    expect(work.trials).toBe(20)
  })

  test('counts a discharge once: two caveats with one ticket need two', () => {
    const token = needs(mint([]), 'login', 'login')
    const one = new Node().judge(bundle(token, discharge('login')))
    expect(one).toMatchObject({ reason: 'discharge_missing', message: expect.stringContaining('serves only one') })
    expect(judged(bundle(token, discharge('login'), discharge('login')))).toBe('ok')
  })

  test('frees what a discharge took that does not clear', () => {
    const token = needs(mint([]), 'a', 'b')
    const takesB = nested('a', ['b'], ['op = write'])
    expect(judged(bundle(token, takesB, discharge('a'), discharge('b')), { op: 'read' })).toBe('ok')
  })

  test('says "unavailable", not "refused", while a discharge may still clear on a fresher state', () => {
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

describe('the caveats of discharges about tokens', () => {
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
