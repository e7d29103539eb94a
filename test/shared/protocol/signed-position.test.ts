import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ed25519Private, ed25519PublicKey, ed25519Sign } from '../../../shared/crypto.ts'
import { checksum, epoch, timeline, txid } from '../../../shared/ids.ts'
import { checkPosition, signPosition, signedPosition } from '../../../shared/protocol/signed-position.ts'

const SEED = Buffer.alloc(32, 5)
const KEY = ed25519Private(SEED)
const PUBLIC = ed25519PublicKey(SEED)
const PROVEN = {
  position: { epoch: epoch(1), txid: txid(7), checksum: checksum(1n << 63n) },
  timeline: timeline('a'.repeat(32)),
}

test('a signed position proves what was signed, to whoever has the public key', () => {
  const signed = signPosition(KEY, 'test', PROVEN)
  expect(signedPosition.parse(JSON.parse(JSON.stringify(signed)))).toEqual(signed)
  expect(checkPosition(PUBLIC, 'test', signed)).toEqual(PROVEN)
})

test('another key, cluster, position or timeline, or a changed signature, proves nothing', () => {
  const signed = signPosition(KEY, 'test', PROVEN)
  expect(checkPosition(ed25519PublicKey(Buffer.alloc(32, 6)), 'test', signed)).toBeUndefined()
  expect(checkPosition(PUBLIC, 'other', signed)).toBeUndefined()
  expect(checkPosition(PUBLIC, 'test', { ...signed, timeline: 'b'.repeat(32) })).toBeUndefined()
  expect(checkPosition(PUBLIC, 'test', { ...signed, position: signed.position.replace('7', '8') })).toBeUndefined()
  const signature = signed.signature.startsWith('A') ? `B${signed.signature.slice(1)}` : `A${signed.signature.slice(1)}`
  expect(checkPosition(PUBLIC, 'test', { ...signed, signature })).toBeUndefined()
})

test('lines cannot be shifted between cluster, timeline and position', () => {
  const signed = signPosition(KEY, 'test', PROVEN)
  const shifted = { ...signed, timeline: '', position: `${signed.timeline}\n${signed.position}` }
  expect(checkPosition(PUBLIC, 'test', shifted)).toBeUndefined()
  expect(signedPosition.safeParse(shifted).success).toBe(false)
})

test('whatever stands in the place of a signature is no proof and no failure', () => {
  const signed = signPosition(KEY, 'test', PROVEN)
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), fc.string({ maxLength: 64 }), (signature, position) => {
      expect(checkPosition(PUBLIC, 'test', { ...signed, signature })).toBeUndefined()
      expect(checkPosition(PUBLIC, 'test', { ...signed, position })).toBeUndefined()
    }),
  )
})

test('a proof has one spelling, and what was signed is a position', () => {
  const signed = signPosition(KEY, 'test', PROVEN)
  // The last of 86 characters carries two bits that count, and four that do not.
  const last = String.fromCharCode(signed.signature.charCodeAt(85) + 1)
  expect(Buffer.from(signed.signature.slice(0, 85) + last, 'base64url')).toEqual(
    Buffer.from(signed.signature, 'base64url'),
  )
  expect(checkPosition(PUBLIC, 'test', { ...signed, signature: signed.signature.slice(0, 85) + last })).toBeUndefined()
  const none = Buffer.from(['macaroond position 1', 'test', signed.timeline, 'none'].join('\n'))
  const signature = Buffer.from(ed25519Sign(KEY, none)).toString('base64url')
  expect(checkPosition(PUBLIC, 'test', { ...signed, position: 'none', signature })).toBeUndefined()
})
