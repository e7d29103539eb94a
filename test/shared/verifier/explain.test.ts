import { describe, expect, test } from 'vitest'
import { tokenId } from '../../../shared/ids.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { NONCE_RANDOM_BYTES, nextNonce, resumeNonces } from '../../../shared/macaroon/nonce.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { bundle, discharge, needs, nested } from './discharges.ts'
import { ACME, mint, Node, NOW_MS } from './fixture.ts'

const seconds = NOW_MS / 1000

describe('an explanation', () => {
  test('lists every check, the token, each caveat in its order, and what the node judged by', () => {
    const { nonce } = nextNonce(resumeNonces(0), NOW_MS - 1_000, new Uint8Array(NONCE_RANDOM_BYTES))
    const token = needs(mint(['op in read,list', 'note = n'], { nonce, expiresAt: seconds + 60 }), 'login')
    const explained = new Node().explain(bundle(token, discharge('login', ['op = read'])), { org: 'acme', op: 'read' })
    expect(explained.verdict).toMatchObject({ ok: true, notes: ['n'] })
    expect(explained.checks.map(({ check, held }) => [check, held])).toEqual(
      ['clock', 'encoding', 'key', 'signature', 'standing', 'expiry', 'access', 'org', 'discharges', 'caveats'].map(
        (check) => [check, true],
      ),
    )
    expect(explained.token).toEqual({
      id: tokenId(ACME, nonce),
      org: 'acme',
      subject: 'alice',
      issuedAtMs: NOW_MS - 1_000,
      expiresAt: seconds + 60,
      ancestors: [],
      caveatCount: 3,
      dischargeCount: 1,
    })
    expect(explained.caveats).toEqual([
      { caveat: 'op in read,list', wanted: 'op in read,list', outcome: 'cleared' },
      { caveat: 'note = n', outcome: 'cleared' },
      {
        caveat: expect.stringMatching(/^third party [0-9a-f]{32}$/),
        outcome: 'cleared',
        thirdParty: { location: 'https://login.example', ticket: expect.any(String) },
        discharges: [
          { index: 1, outcome: 'used', caveats: [{ caveat: 'op = read', wanted: 'op = read', outcome: 'cleared' }] },
        ],
      },
    ])
    expect(explained.judgedBy).toMatchObject({ nowLatestMs: NOW_MS, region: 'fra' })
  })

  test('goes on after the first refusal, and gives the verdict of the plain judgement', () => {
    const node = new Node()
    const token = needs(mint(['op = write', 'size <= 5', 'nonsense'], { expiresAt: 1 }), 'login', 'store')
    const text = bundle(token, discharge('store'))
    node.revocations.add(ACME, decodeIdentifier(token.identifier).nonce)
    const access = { org: 'acme', op: 'read', size: '5' }
    const explained = node.explain(text, access)
    expect(explained.verdict).toEqual(node.judge(text, access))
    expect(explained.verdict).toMatchObject({ reason: 'revoked' })
    expect(explained.checks.filter(({ held }) => !held).map(({ check }) => check)).toEqual([
      'standing',
      'expiry',
      'caveats',
    ])
    expect(explained.caveats.map(({ outcome, refusal }) => [outcome, refusal?.reason])).toEqual([
      ['refused', 'caveat_refused'],
      ['cleared', undefined],
      ['refused', 'caveat_unknown'],
      ['refused', 'discharge_missing'],
      ['cleared', undefined],
    ])
  })

  test('says if each discharge served, and why not', () => {
    const token = needs(mint([]), 'login', 'login', 'login')
    const text = encodeBundle([
      token,
      discharge('login'),
      bindDischarge(token, nested('login', ['inner'], [`time < ${seconds - 1}`])),
      bindDischarge(token, discharge('login', ['staleness <= 1ms'])),
      bindDischarge(token, discharge('login')),
    ])
    const { caveats, verdict } = new Node().explain(text, { org: 'acme' }, { stalenessMs: 5 })
    expect(verdict.ok).toBe(false)
    expect(caveats.map(({ discharges }) => discharges?.map(({ index, outcome }) => `${index} ${outcome}`))).toEqual([
      ['1 not_authentic', '2 refused', '3 refused', '4 used'],
      ['1 not_authentic', '2 refused', '3 refused', '4 used_before'],
      ['1 not_authentic', '2 refused', '3 refused', '4 used_before'],
    ])
    const [, expired, stale] = caveats[0]?.discharges ?? []
    expect(expired?.caveats?.map(({ outcome, refusal }) => [outcome, refusal?.reason])).toEqual([
      ['refused', 'discharge_missing'],
      ['refused', 'caveat_refused'],
    ])
    expect(stale?.caveats).toMatchObject([{ outcome: 'unavailable' }])
    // Told once; further on its place says which one it was.
    expect(caveats[1]?.discharges?.every((one) => one.caveats === undefined)).toBe(true)
  })

  test('of a forged token reveals nothing that it says', () => {
    const forged = { ...mint(['secret = plan'], { subject: 'mallory' }), signature: new Uint8Array(32) }
    const explained = new Node().explain(encodeTokenText(forged))
    expect(explained).not.toHaveProperty('token')
    expect(explained.caveats).toEqual([])
    expect(explained.checks.at(-1)).toMatchObject({ check: 'signature', held: false })
    expect(JSON.stringify(explained)).not.toMatch(/mallory|plan/)
  })

  test('ends where nothing can be said: no time, no token, an unknown key', () => {
    const last = (explained: ReturnType<Node['explain']>): unknown => explained.checks.at(-1)?.check
    expect(last(new Node().explain(encodeTokenText(mint([])), { org: 'acme' }, { nowLatestMs: Number.NaN }))).toBe(
      'clock',
    )
    expect(last(new Node().explain('mcn1_'))).toBe('encoding')
    const node = new Node()
    node.keys.replace([])
    expect(last(node.explain(encodeTokenText(mint([]))))).toBe('key')
    expect(last(new Node().explain(encodeTokenText(mint([])), {}))).toBe('access')
    expect(last(new Node().explain(encodeTokenText(mint([])), { org: 'other' }))).toBe('caveats')
  })

  test('of a tangle of discharges stays small', () => {
    const tangled = Array.from({ length: 60 }, () => nested('t', ['t']))
    const explained = new Node().explain(bundle(needs(mint([]), 't'), ...tangled))
    expect(explained.verdict).toMatchObject({ reason: 'work_exceeded' })
    expect(JSON.stringify(explained).length).toBeLessThan(500_000)
  })
})
