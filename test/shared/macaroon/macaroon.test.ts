import { describe, expect, test } from 'vitest'
import { equalSecrets, hmac, hmacInto } from '../../../shared/crypto.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { withCaveats } from '../../../shared/macaroon/chain.ts'
import { verifyMacaroon } from '../../../shared/macaroon/signature.ts'

const derivedKey = new Uint8Array(32).fill(9)
const root = createMacaroon({ derivedKey, identifier: 'id', location: 'here' })

describe('a macaroon', () => {
  test('stays as it is when another is attenuated from it', () => {
    const before = structuredClone(root)
    attenuate(root, ['op = read'])
    expect(root).toEqual(before)
  })

  test('is the same whether caveats are added at once or one by one', () => {
    const atOnce = attenuate(root, ['a = 1', 'b = 2'])
    expect(attenuate(attenuate(root, ['a = 1']), ['b = 2'])).toEqual(atOnce)
    expect(verifyMacaroon(atOnce, derivedKey)).toBeDefined()
  })

  test('is no longer authentic with its caveats in another order, one missing, or one repeated', () => {
    const three = attenuate(root, ['a = 1', 'b = 2', 'c = 3'])
    const [a, b, c] = three.caveats
    const orders = [[b, a, c], [a, c, b], [c, b, a], [a, b], [b, c], [a, b, c, c], []]
    for (const caveats of orders) {
      const changed = { ...three, caveats: caveats.filter((caveat) => caveat !== undefined) }
      expect(verifyMacaroon(changed, derivedKey)).toBeUndefined()
    }
  })

  test('does not change with bytes that its maker goes on to change', () => {
    const identifier = new Uint8Array([1, 2, 3])
    const cid = new Uint8Array([4, 5, 6])
    const macaroon = attenuate(createMacaroon({ derivedKey, identifier }), [cid])
    identifier.fill(0)
    cid.fill(0)
    expect(verifyMacaroon(macaroon, derivedKey)).toBeDefined()
  })

  test('signs a third-party caveat over verifier id and caveat id, in that order', () => {
    const caveat = { cid: new Uint8Array([1]), vid: new Uint8Array(72).fill(2) }
    const tail = hmac(derivedKey, root.identifier)
    const { signature } = withCaveats(hmacInto, root, [caveat])
    const ofPair = (...parts: Uint8Array[]) => hmac(tail, Buffer.concat(parts.map((part) => hmac(tail, part))))
    expect(Buffer.from(signature)).toEqual(ofPair(caveat.vid, caveat.cid))
    expect(Buffer.from(signature)).not.toEqual(ofPair(caveat.cid, caveat.vid))
    expect(verifyMacaroon({ ...root, caveats: [caveat], signature }, derivedKey)).toBeDefined()
    expect(verifyMacaroon({ ...root, caveats: [{ cid: caveat.cid }], signature }, derivedKey)).toBeUndefined()
  })

  test('cannot be made of text that has no UTF-8', () => {
    expect(() => attenuate(root, ['note = \ud800'])).toThrow(expect.objectContaining({ code: 'caveat_malformed' }))
    expect(() => createMacaroon({ derivedKey, identifier: '\udfff' })).toThrow('lone surrogate')
    expect(() => createMacaroon({ derivedKey, identifier: '', location: '\ud800' })).toThrow('lone surrogate')
  })

  test('cannot be made with a key of another length', () => {
    expect(() => createMacaroon({ derivedKey: new Uint8Array(31), identifier: '' })).toThrow('32 bytes')
  })

  test('compares signatures by length first, without throwing', () => {
    expect(equalSecrets(hmac(derivedKey, new Uint8Array()), new Uint8Array(31))).toBe(false)
    expect(verifyMacaroon({ ...root, signature: new Uint8Array() }, derivedKey)).toBeUndefined()
  })
})
