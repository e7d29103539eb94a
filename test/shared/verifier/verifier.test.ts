import { describe, expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { hmacInto, sha256 } from '../../../shared/crypto.ts'
import { tokenId } from '../../../shared/ids.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { withCaveats } from '../../../shared/macaroon/chain.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { createDischarge, requireDischarge } from '../../../shared/macaroon/third-party.ts'
import { ACME, entry, freshNonce, mint, Node, NOW_MS, OTHER, outcome } from './fixture.ts'

function thirdParty(macaroon: Macaroon): Macaroon {
  const recipient = { sharedKey: new Uint8Array(32) }
  return requireDischarge(macaroon, { location: 'https://login.example', condition: 'login', recipient }, systemEntropy)
}

describe('an accepted token', () => {
  test('says whose it is, until when, and what its holders noted', () => {
    const nonce = freshNonce()
    const expiresAt = NOW_MS / 1000 + 60
    const token = mint(['note = guest of Carol', 'op = read', 'note = second'], { nonce, expiresAt })
    expect(new Node().judge(token, { org: 'acme', op: 'read' })).toEqual({
      ok: true,
      id: tokenId(ACME, nonce),
      org: 'acme',
      subject: 'alice',
      expiresAt,
      notes: ['guest of Carol', 'second'],
      caveatCount: 3,
    })
  })

  test('has no expiry in its verdict when it was issued without one', () => {
    expect(new Node().judge(mint([]))).not.toHaveProperty('expiresAt')
  })
})

describe('the signature', () => {
  test('of another key, of the secret before derivation, or of a holder refuses', () => {
    const node = new Node()
    const token = mint(['op = read'])
    node.keys.replace([[ACME, entry(ACME, { derivedKey: new Uint8Array(32).fill(1) })]])
    expect(node.judge(token)).toEqual({ ok: false, reason: 'signature_wrong', message: expect.any(String) })
    const { identifier } = token
    const secret = new Uint8Array(32).fill(0xa1)
    expect(outcome(new Node().judge(createMacaroon({ secret, identifier })))).toBe('signature_wrong')
  })

  test('is judged first: a forged token learns of no caveat, expiry, org or revocation', () => {
    const forged = { ...mint(['nonsense'], { expiresAt: 1 }), signature: new Uint8Array(32) }
    const node = new Node()
    node.keys.replace([[ACME, entry(ACME, { state: 'retired', orgState: 'disabled' })]])
    const { kid, nonce } = decodeIdentifier(forged.identifier)
    node.revocations.add(kid, nonce)
    expect(node.judge(forged, null)).toEqual({ ok: false, reason: 'signature_wrong', message: expect.any(String) })
  })

  test('does not cover the location, which decides nothing', () => {
    expect(outcome(new Node().judge({ ...mint([]), location: 'https://evil.example' }))).toBe('ok')
  })
})

describe('keys and orgs', () => {
  test('an unknown key is reported with the time of issue, so a node behind can say "unavailable"', () => {
    const node = new Node()
    node.keys.replace([])
    const nonce = freshNonce(NOW_MS + 5_000)
    expect(node.judge(mint([], { nonce }))).toMatchObject({ reason: 'key_unknown', issuedAtMs: NOW_MS + 5_000 })
  })

  test('a retired key and a disabled org end their tokens', () => {
    const node = new Node()
    node.keys.replace([[ACME, entry(ACME, { state: 'retired' })]])
    expect(outcome(node.judge(mint([])))).toBe('key_retired')
    node.keys.replace([[ACME, entry(ACME, { orgState: 'disabled' })]])
    expect(outcome(node.judge(mint([])))).toBe('org_disabled')
  })

  test("a token is for its key's org only, whatever its caveats say", () => {
    const node = new Node()
    expect(outcome(node.judge(mint(['org = other']), { org: 'other' }))).toBe('org_mismatch')
    expect(outcome(node.judge(mint([], { kid: OTHER }), { org: 'acme' }))).toBe('org_mismatch')
    expect(outcome(node.judge(mint([], { kid: OTHER }), { org: 'other' }))).toBe('ok')
    expect(outcome(node.judge(mint(['org = other']), { org: 'acme' }))).toBe('caveat_refused')
    expect(outcome(node.judge(mint([]), { org: 'ACME' }))).toBe('org_mismatch')
  })
})

describe('revocation', () => {
  test('ends a token and everything attenuated from it, and no other token', () => {
    const node = new Node()
    const nonce = freshNonce()
    node.revocations.add(ACME, nonce)
    expect(outcome(node.judge(mint([], { nonce })))).toBe('revoked')
    expect(outcome(node.judge(mint(['op = read'], { nonce }), { org: 'acme', op: 'read' }))).toBe('revoked')
    expect(outcome(node.judge(mint([])))).toBe('ok')
    expect(outcome(node.judge(mint([], { nonce, kid: OTHER }), { org: 'other' }))).toBe('ok')
  })

  test.each([0, 1, 2, 3])('of ancestor %i ends a service token', (which) => {
    const node = new Node()
    const ancestors = [0, 1, 2, 3].map(() => ({ kid: ACME, nonce: freshNonce() }))
    const token = mint([], { ancestors })
    expect(outcome(node.judge(token))).toBe('ok')
    const revoked = ancestors[which]
    if (revoked !== undefined) node.revocations.add(revoked.kid, revoked.nonce)
    expect(outcome(node.judge(token))).toBe('revoked')
  })

  test("of an ancestor's key or org ends a service token, and an unknown ancestor's key refuses it", () => {
    const node = new Node()
    const token = mint([], { ancestors: [{ kid: OTHER, nonce: freshNonce() }] })
    expect(outcome(node.judge(token))).toBe('ok')
    const keysWith = (changes: object): void =>
      node.keys.replace([
        [ACME, entry(ACME)],
        [OTHER, entry(OTHER, changes)],
      ])
    keysWith({ state: 'retired' })
    expect(outcome(node.judge(token))).toBe('key_retired')
    keysWith({ orgState: 'disabled' })
    expect(outcome(node.judge(token))).toBe('org_disabled')
    node.keys.replace([[ACME, entry(ACME)]])
    expect(outcome(node.judge(token))).toBe('key_unknown')
  })
})

describe('time', () => {
  const expiresAt = NOW_MS / 1000 + 10
  const expiryMs = expiresAt * 1000

  test('a token ends in the second of its expiry, by the latest credible time', () => {
    const node = new Node()
    const token = mint([], { expiresAt })
    const at = (nowLatestMs: number): string => outcome(node.judge(token, { org: 'acme' }, { nowLatestMs }))
    expect([at(expiryMs - 1), at(expiryMs), at(expiryMs + 1)]).toEqual(['ok', 'expired', 'expired'])
  })

  test('a `time` caveat that a holder added does not pass for an expiry, nor the other way round', () => {
    const token = mint([`time < ${expiresAt + 100}`], { expiresAt })
    const late = { nowEarliestMs: expiryMs, nowLatestMs: expiryMs }
    expect(outcome(new Node().judge(token, { org: 'acme' }, late))).toBe('expired')
  })

  test.each([
    { nowEarliestMs: Number.NaN },
    { nowLatestMs: Number.NaN },
    { nowLatestMs: Infinity },
    { nowEarliestMs: NOW_MS + 1, nowLatestMs: NOW_MS },
  ])('a node that does not know it judges nothing: %j', (context) => {
    expect(outcome(new Node().judge(mint([], { expiresAt }), { org: 'acme' }, context))).toBe('unavailable')
  })
})

describe('tokens that cannot be judged', () => {
  const text = encodeTokenText(mint([]))

  test.each([
    ['nothing', '', 'token_malformed'],
    ['a token that is cut off', text.slice(0, -9), 'token_truncated'],
    ['a token that was mistyped', text.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')), 'token_damaged'],
    ['a megabyte', 'A'.repeat(2 ** 20), 'token_too_large'],
    ['a bundle with an empty part', `${text}~`, 'bundle_malformed'],
    [
      'a discharge in front of its token',
      encodeBundle([createDischarge({ ticket: 'mct1s', caveatKey: new Uint8Array(32) }), mint([])]),
      'token_malformed',
    ],
    ['a Fly token', 'fm2_abc', 'token_unsupported'],
    [
      "another authority's macaroon",
      encodeTokenText(createMacaroon({ secret: new Uint8Array(1), identifier: 'k' })),
      'token_malformed',
    ],
    [
      'a newer identifier',
      encodeTokenText(createMacaroon({ secret: new Uint8Array(1), identifier: '\u0002' })),
      'token_unsupported',
    ],
  ])('%s has its own reason', (_, token, reason) => {
    expect(new Node().judge(token)).toEqual({ ok: false, reason, message: expect.any(String) })
  })

  test('a third-party caveat without a discharge is named once the token is authentic and valid', () => {
    const node = new Node()
    const token = thirdParty(mint([]))
    const { cid } = token.caveats[0] ?? { cid: new Uint8Array() }
    expect(node.judge(token)).toMatchObject({
      reason: 'discharge_missing',
      wanted: expect.stringContaining('login.example'),
      thirdParty: { location: 'https://login.example', ticket: sha256(cid).toString('hex', 0, 16) },
    })
    const { kid, nonce } = decodeIdentifier(token.identifier)
    node.revocations.add(kid, nonce)
    expect(outcome(node.judge(token))).toBe('revoked')
  })

  test('a verifier id without a key has another reason than a missing discharge', () => {
    const caveat = { cid: new Uint8Array([1]), vid: new Uint8Array(72) }
    const token = mint([])
    expect(outcome(new Node().judge(withCaveats(hmacInto, token, [caveat])))).toBe('verifier_id_invalid')
  })
})
