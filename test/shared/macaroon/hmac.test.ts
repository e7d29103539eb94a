import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hmac, hmacInto } from '../../../shared/crypto.ts'

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 })
const messages = fc.uint8Array({ maxLength: 3_000, size: 'max' })
const reference = (key: Uint8Array, message: Uint8Array): Buffer => createHmac('sha256', key).update(message).digest()

test('the HMAC written out here is the HMAC of OpenSSL, for messages of every length', () => {
  fc.assert(
    fc.property(keys, messages, (key, message) => {
      expect(hmac(key, message)).toEqual(reference(key, message))
    }),
  )
  for (const length of [0, 1, 55, 56, 63, 64, 1023, 1024, 1025, 70_000]) {
    const message = new Uint8Array(length).fill(0xc3)
    const key = new Uint8Array(32).fill(length)
    expect(hmac(key, message)).toEqual(reference(key, message))
  }
})

test('a result may be written over its own key', () => {
  const key = Buffer.alloc(32, 5)
  const expected = reference(key, Buffer.from('caveat'))
  hmacInto(key, key, Buffer.from('caveat'))
  expect(key).toEqual(expected)
})
