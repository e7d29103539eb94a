/**
 * The cryptography and the encodings of a holder, without Node: SHA-256 of `@noble/hashes`, and CRC-32. It is slower than
 * `shared/crypto.ts` and Node's Buffer, which is no matter for a program that narrows a token now and then.
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { assert } from '../errors.ts'
import { type HmacInto, KEY_BYTES } from '../hmac.ts'
import { readBase64Url, writeBase64Url } from '../macaroon/portable-base64.ts'
import type { TextPrimitives } from '../macaroon/text-codec.ts'

export const portableHmacInto: HmacInto = (target, key, message) => {
  assert(key.length === KEY_BYTES && target.length === KEY_BYTES, 'an HMAC key and result have 32 bytes')
  target.set(hmac(sha256, key, message))
}

export const portableTextPrimitives: TextPrimitives = {
  encodeBase64Url: writeBase64Url,
  decodeBase64Url: readBase64Url,
  crc32: crc32OfUtf8,
}

/** The polynomial of IEEE 802.3, with its bits reversed. */
const POLYNOMIAL = 0xedb88320

const encoder = new TextEncoder()

/** Bit by bit: a table would be longer than the texts of most programs. */
function crc32OfUtf8(text: string): number {
  let crc = 0xffffffff
  for (const byte of encoder.encode(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
