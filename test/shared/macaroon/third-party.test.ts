import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entropy } from '../../../shared/clock.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { deriveMacaroonKey, hmacInto } from '../../../shared/crypto.ts'
import { bindDischarge, bindDischarges } from '../../../shared/macaroon/bind.ts'
import { boundSignature } from '../../../shared/macaroon/chain.ts'
import { decodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { verifyChain } from '../../../shared/macaroon/signature.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { decodeV2 } from '../../../shared/macaroon/v2-reader.ts'
import { encodeV2 } from '../../../shared/macaroon/v2-writer.ts'
import { judgeExact, verifyWithKey } from '../../../shared/verifier/with-key.ts'

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const base64 = (text: string): Uint8Array => decodeBase64Url(text) ?? new Uint8Array()

/** Nonces as the vectors state them. */
const drawing = (nonce: Uint8Array): Entropy => ({ bytes: () => Buffer.from(nonce), uniform: () => 0 })

interface Made {
  readonly key_utf8: string
  readonly location: string
  readonly identifier: string
  readonly caveats: readonly { cid: string; vid_hex?: string; vid_nonce_hex?: string; location?: string }[]
  readonly signature_hex: string
  readonly v2_hex: string
}

interface Vector {
  readonly name: string
  readonly root_key_utf8: string
  readonly root: Made
  readonly satisfied: readonly string[]
  readonly [key: string]: unknown
}

const file = new URL('../../vectors/third_party.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }
const vector = (start: string): Vector => {
  const found = vectors.find(({ name }) => name.startsWith(start))
  if (found === undefined) throw new Error(`no vector ${start}`)
  return found
}

const verify = (secret: string, bundle: readonly Macaroon[], satisfied: readonly string[]): string => {
  const cleared = verifyWithKey({ bundle, rootKey: { secret: utf8(secret) }, judge: judgeExact(satisfied) })
  return cleared.ok ? 'ok' : cleared.reason
}

test('all six third-party vectors are here', () => {
  expect(vectors).toHaveLength(6)
})

describe.each([['bank third party, discharge time < 2020'], ['bank third party, discharge time < 2015']])(
  '%s',
  (name) => {
    const found = vector(name)
    const unboundMade = found['discharge_unbound'] as Made
    const boundMade = found['discharge_bound'] as Made
    const caveatKey = utf8(found['caveat_root_key_utf8'] as string)

    const root = found.root.caveats.reduce<Macaroon>(
      (macaroon, { cid, vid_nonce_hex, location = '' }) =>
        vid_nonce_hex === undefined
          ? attenuate(macaroon, [cid])
          : addThirdPartyCaveat(macaroon, { caveatKey, ticket: cid, location }, drawing(unhex(vid_nonce_hex))),
      createMacaroon({
        secret: utf8(found.root.key_utf8),
        identifier: found.root.identifier,
        location: found.root.location,
      }),
    )
    const unbound = createDischarge({
      ticket: unboundMade.identifier,
      caveatKey,
      location: unboundMade.location,
      caveats: unboundMade.caveats.map(({ cid }) => cid),
    })
    const bound = bindDischarge(root, unbound)

    test('root, discharge and bound discharge are made byte for byte', () => {
      expect(hex(encodeV2(root))).toBe(found.root.v2_hex)
      expect(hex(root.caveats[1]?.vid)).toBe(found.root.caveats[1]?.vid_hex)
      expect(hex(encodeV2(unbound))).toBe(unboundMade.v2_hex)
      expect(hex(encodeV2(bound))).toBe(boundMade.v2_hex)
    })

    const cases = found['verify'] as readonly { discharges: string[]; satisfied: string[]; expect: string }[]
    test.each(cases)('$discharges with $satisfied: $expect', ({ discharges, satisfied, expect: expected }) => {
      const bundle = [root, ...discharges.map((kind) => (kind === 'bound' ? bound : unbound))]
      const outcome = verify(found.root.key_utf8, bundle, satisfied)
      expect(outcome === 'ok' ? 'authorized' : 'unauthorized').toBe(expected)
    })
  },
)

test("go-macaroon's bundle is authorized, and its caveat key is the one that was put in", () => {
  const found = vector('go-macaroon generated')
  const root = decodeV2(base64(found['v2_binary_root'] as string))
  const bound = decodeV2(base64(found['v2_binary_discharge'] as string))
  const secret = found.root_key_utf8
  const chain = verifyChain(root, deriveMacaroonKey(utf8(secret)))
  expect(chain?.caveatKeys.map(hex)).toEqual([found['recovered_caveat_key_hex']])
  expect(hex(root.signature)).toBe(found['root_signature_hex'])
  const unbound = createMacaroon({
    derivedKey: chain?.caveatKeys[0] ?? new Uint8Array(32),
    identifier: bound.identifier,
  })
  expect(hex(unbound.signature)).toBe(found['discharge_unbound_signature_hex'])
  expect(hex(bindDischarge(root, unbound).signature)).toBe(found['discharge_bound_signature_hex'])
  expect(verify(secret, [root, bound], found.satisfied)).toBe('ok')
})

test('a bundle under another root key is reported as such, whatever is in it', () => {
  const token = addThirdPartyCaveat(
    createMacaroon({ secret: utf8('k'), identifier: 'i' }),
    { caveatKey: utf8('c'), ticket: 't', location: '' },
    systemEntropy,
  )
  const bundle = bindDischarges(token, [createDischarge({ ticket: 't', caveatKey: utf8('c') })])
  expect([verify('k', bundle, []), verify('other', bundle, []), verify('k', [], [])]).toEqual([
    'ok',
    'signature_wrong',
    'token_missing',
  ])
})

test("js-macaroon's bundle of three is authorized", () => {
  const found = vector('js-macaroon external')
  const json = found['macaroons'] as readonly {
    location: string
    identifier: string
    signature: string
    caveats: { cid: string; vid?: string; cl?: string }[]
  }[]
  const bundle = json.map(({ location, identifier, signature, caveats }): Macaroon => ({
    location,
    identifier: utf8(identifier),
    signature: unhex(signature),
    caveats: caveats.map(({ cid, vid, cl }) =>
      vid === undefined ? { cid: utf8(cid) } : { cid: utf8(cid), vid: base64(vid), location: cl ?? '' },
    ),
  }))
  const satisfied = ['wonderful', 'splendid', 'top of the world']
  expect(verify(found.root_key_utf8, bundle, satisfied)).toBe('ok')
  expect(verify(found.root_key_utf8, bundle, satisfied.slice(1))).toBe('caveat_refused')
  expect(verify(found.root_key_utf8, bundle, satisfied.slice(0, 2))).toBe('caveat_refused')
})

test('binding takes root signatures of any length, as js-macaroon does', () => {
  const found = vector('bind formula')
  const { signature } = createMacaroon({
    secret: utf8(found['key_utf8'] as string),
    identifier: found['identifier'] as string,
  })
  const bound = boundSignature(hmacInto, utf8(found['root_signature_utf8'] as string), signature)
  expect(hex(bound)).toBe(found['expected_bound_signature_hex'])
})

describe('nested discharges', () => {
  const found = vector('nested')
  const nonce = (byte: number): Entropy => drawing(new Uint8Array(24).fill(byte))
  const signatureOf = (key: string): string => (found[key] as { signature_hex: string }).signature_hex
  const made = createMacaroon({ secret: utf8(found.root_key_utf8), identifier: 'root-id' })
  const { root, bob, barbara } = nestedVector()

  /** The vector gives keys and places in words only; libraries' test suites have them as here. */
  function nestedVector(): { root: Macaroon; bob: Macaroon; barbara: Macaroon } {
    const withOwn = attenuate(made, ['wonderful'])
    const bobCaveat = { caveatKey: utf8('bob-caveat-root-key'), ticket: 'bob-is-great', location: 'bob' }
    const barbaraCaveat = {
      caveatKey: utf8('barbara-caveat-root-key'),
      ticket: 'barbara-is-great',
      location: 'barbara',
    }
    return {
      root: addThirdPartyCaveat(withOwn, bobCaveat, nonce(1)),
      bob: addThirdPartyCaveat(createDischarge({ ...bobCaveat, caveats: ['splendid'] }), barbaraCaveat, nonce(2)),
      barbara: createDischarge({ ...barbaraCaveat, caveats: ['spiffing'] }),
    }
  }

  test('are bound to the root, byte for byte', () => {
    expect(hex(root.signature)).toBe(signatureOf('root'))
    expect(hex(bindDischarge(root, bob).signature)).toBe(signatureOf('discharge_bob_bound_to_root'))
    expect(hex(bindDischarge(root, barbara).signature)).toBe(signatureOf('discharge_barbara_bound_to_root'))
    expect(verify(found.root_key_utf8, bindDischarges(root, [bob, barbara]), found.satisfied)).toBe('ok')
  })

  test('that are bound to their parent, before or after it was bound itself, fail', () => {
    const boundBob = bindDischarge(root, bob)
    const toUnbound = bindDischarge(bob, barbara)
    const toBound = bindDischarge(boundBob, barbara)
    expect(hex(toUnbound.signature)).toBe(signatureOf('discharge_barbara_bound_to_bob_unbound_MUST_FAIL'))
    expect(hex(toBound.signature)).toBe(signatureOf('discharge_barbara_bound_to_bob_bound_MUST_FAIL'))
    for (const barbaraBound of [toUnbound, toBound]) {
      const outcome = verify(found.root_key_utf8, [root, boundBob, barbaraBound], found.satisfied)
      expect(outcome).toBe('discharge_invalid')
    }
  })
})

describe('a third-party caveat', () => {
  const root = createMacaroon({ secret: utf8('k'), identifier: 'i' })

  test('holds a fresh nonce each time, so that one signature never seals two keys under one', () => {
    const add = (): Macaroon =>
      addThirdPartyCaveat(root, { caveatKey: utf8('c'), ticket: 't', location: '' }, systemEntropy)
    expect(hex(add().caveats[0]?.vid)).not.toBe(hex(add().caveats[0]?.vid))
  })

  test('without a location has none, and leaves the given macaroon as it is', () => {
    const added = addThirdPartyCaveat(root, { caveatKey: utf8('c'), ticket: 't', location: '' }, systemEntropy)
    expect(added.caveats[0]).not.toHaveProperty('location')
    expect(root.caveats).toEqual([])
    expect(decodeV2(encodeV2(added))).toEqual(added)
  })

  test('is discharged by the key that was put in and by no other, for any keys and tickets', () => {
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 64 })
    fc.assert(
      fc.property(bytes, bytes, bytes, bytes, (secret, caveatKey, otherKey, ticket) => {
        fc.pre(hex(deriveMacaroonKey(caveatKey)) !== hex(deriveMacaroonKey(otherKey)))
        const minted = createMacaroon({ secret, identifier: 'id' })
        const token = addThirdPartyCaveat(minted, { caveatKey, ticket, location: 'x' }, systemEntropy)
        const judged = (key: Uint8Array): string => {
          const bundle = bindDischarges(token, [createDischarge({ ticket, caveatKey: key })])
          const cleared = verifyWithKey({ bundle, rootKey: { secret }, judge: judgeExact([]) })
          return cleared.ok ? 'ok' : cleared.reason
        }
        expect([judged(caveatKey), judged(otherKey)]).toEqual(['ok', 'discharge_invalid'])
      }),
    )
  })

  test('whose ticket or location is no text that UTF-8 can write is not made', () => {
    const lone = '\ud800'
    const make = (ticket: string, location: string) => () =>
      addThirdPartyCaveat(root, { caveatKey: utf8('c'), ticket, location }, systemEntropy)
    for (const call of [make(lone, ''), make('t', lone)])
      expect(call).toThrow(expect.objectContaining({ code: 'caveat_malformed' }))
  })
})
