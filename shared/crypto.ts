/**
 * Every cryptographic primitive of the project, and its only comparison of secrets. No other file imports `node:crypto`
 * for a hash, a cipher or a signature.
 *
 * HMAC is built on `crypto.hash`, because a macaroon takes one HMAC with a fresh key for every caveat, and `createHmac`
 * builds a key object each time (10 µs and more on Node 24, against 0.5 µs here). The hash is returned as a 'binary'
 * (latin-1) string, because a Buffer would cost more than the hash itself.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hash,
  hkdfSync,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import type { Entropy } from './clock.ts'
import { assert } from './errors.ts'
import { KEY_BYTES } from './hmac.ts'

const BLOCK_BYTES = 64
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c
/** Messages up to this length are hashed through a view that was made once. A longer message gets a buffer of its own. */
const PREPARED_BYTES = 1024

// Keys always have 32 bytes, so the second half of each block is always the bare pad (RFC 2104, section 2).
const inner = Buffer.alloc(BLOCK_BYTES + PREPARED_BYTES, INNER_PAD)
const outer = Buffer.alloc(BLOCK_BYTES + KEY_BYTES, OUTER_PAD)
const innerViews = Array.from({ length: PREPARED_BYTES + 1 }, (_, length) => inner.subarray(0, BLOCK_BYTES + length))

/** libmacaroons' derivation constant. The zero padding to 32 bytes does not change the HMAC (RFC 2104, section 2). */
const KEY_GENERATOR = Buffer.alloc(KEY_BYTES)
KEY_GENERATOR.write('macaroons-key-generator', 'latin1')

/**
 * HMAC-SHA256 (RFC 2104) with a 32-byte key, written to `target` (32 bytes). `target` may be the key itself, so a chain
 * allocates nothing.
 */
export function hmacInto(target: Uint8Array, key: Uint8Array, message: Uint8Array): void {
  assert(key.length === KEY_BYTES && target.length === KEY_BYTES, 'an HMAC key and result have 32 bytes')
  for (let i = 0; i < KEY_BYTES; i += 1) {
    const byte = key[i] ?? 0
    inner[i] = byte ^ INNER_PAD
    outer[i] = byte ^ OUTER_PAD
  }
  copyDigest(hash('sha256', innerMessage(message), 'binary'), outer, BLOCK_BYTES)
  copyDigest(hash('sha256', outer, 'binary'), target, 0)
}

/** For 32 characters this loop costs less than half of `Buffer.write`. */
function copyDigest(digest: string, target: Uint8Array, at: number): void {
  for (let i = 0; i < KEY_BYTES; i += 1) target[at + i] = digest.charCodeAt(i)
}

function innerMessage(message: Uint8Array): Buffer {
  const view = innerViews[message.length]
  if (view === undefined) return Buffer.concat([inner.subarray(0, BLOCK_BYTES), message])
  inner.set(message, BLOCK_BYTES)
  return view
}

/** HMAC-SHA256 with a 32-byte key. */
export function hmac(key: Uint8Array, message: Uint8Array): Buffer {
  const result = Buffer.alloc(KEY_BYTES)
  hmacInto(result, key, message)
  return result
}

/** The macaroon key that libmacaroons derives from a secret of any length. */
export function deriveMacaroonKey(secret: Uint8Array): Buffer {
  return hmac(KEY_GENERATOR, secret)
}

export function sha256(data: Uint8Array): Buffer {
  return hash('sha256', data, 'buffer')
}

export function sha256Hex(data: Uint8Array): string {
  return hash('sha256', data, 'hex')
}

/** SHA-256 of data that arrives in pieces. */
export class Sha256 {
  readonly #hash = createHash('sha256')

  update(piece: Uint8Array): this {
    this.#hash.update(piece)
    return this
  }

  /** The digest. The object cannot be updated afterwards. */
  hex(): string {
    return this.#hash.digest('hex')
  }
}

/** True if the bytes are equal, in a time that does not depend on them. Lengths are no secret: they are compared first. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

export function randomSecret(entropy: Entropy): Buffer {
  return entropy.bytes(KEY_BYTES)
}

export interface AeadInput {
  /** 32 bytes. */
  readonly key: Uint8Array
  /** 12 bytes, never used twice with one key. */
  readonly nonce: Uint8Array
  /** Authenticated, not encrypted. */
  readonly associated: Uint8Array
}

const AEAD_TAG_BYTES = 16

/** AES-256-GCM (NIST SP 800-38D): ciphertext followed by the 16-byte tag. */
export function sealAead({
  key,
  nonce,
  associated,
  plaintext,
}: AeadInput & { readonly plaintext: Uint8Array }): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(associated)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Undefined if any byte was changed, or if key, nonce or associated data differ from those it was sealed with. */
export function openAead({
  key,
  nonce,
  associated,
  sealed,
}: AeadInput & { readonly sealed: Uint8Array }): Buffer | undefined {
  const end = sealed.length - AEAD_TAG_BYTES
  if (end < 0) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: AEAD_TAG_BYTES })
  decipher.setAAD(associated)
  decipher.setAuthTag(sealed.subarray(end))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()])
  } catch {
    return undefined
  }
}

/** Length of an XSalsa20 nonce: long enough to be drawn at random for any number of messages under one key. */
export const SECRETBOX_NONCE_BYTES = 24
/** Length of Poly1305's tag, which precedes the ciphertext. */
export const SECRETBOX_TAG_BYTES = 16

export interface SecretboxInput {
  /** 32 bytes. */
  readonly key: Uint8Array
  /** 24 bytes, never used twice with one key. */
  readonly nonce: Uint8Array
}

/** XSalsa20-Poly1305, NaCl's secretbox: the 16-byte tag followed by the ciphertext. OpenSSL has no Salsa20. */
export function sealSecretbox({ key, nonce, plaintext }: SecretboxInput & { readonly plaintext: Uint8Array }): Buffer {
  return Buffer.from(xsalsa20poly1305(key, nonce).encrypt(plaintext))
}

/** Undefined if any byte was changed, or if key or nonce differ from those it was sealed with. */
export function openSecretbox({
  key,
  nonce,
  sealed,
}: SecretboxInput & { readonly sealed: Uint8Array }): Buffer | undefined {
  if (sealed.length < SECRETBOX_TAG_BYTES) return undefined
  try {
    return Buffer.from(xsalsa20poly1305(key, nonce).decrypt(sealed))
  } catch {
    return undefined
  }
}

/** DER prefixes of a bare 32-byte X25519 key; the key follows (RFC 8410, sections 7 and 4). */
const X25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const X25519_SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

const SEALED_BOX_INFO = Buffer.from('macaroond sealed box 1')
/** Each message has its own key, derived from its own ephemeral key, so the nonce may be constant. */
const SEALED_BOX_NONCE = Buffer.alloc(SECRETBOX_NONCE_BYTES)

/** A sealed box is longer than its message by the ephemeral public key and the tag. */
export const SEALED_BOX_OVERHEAD_BYTES: number = KEY_BYTES + SECRETBOX_TAG_BYTES

function x25519Private(privateKey: Uint8Array): KeyObject {
  assert(privateKey.length === KEY_BYTES, 'an X25519 key has 32 bytes')
  return createPrivateKey({ key: Buffer.concat([X25519_PKCS8_PREFIX, privateKey]), format: 'der', type: 'pkcs8' })
}

/** The 32-byte public key of a private key, which may be any 32 bytes (RFC 7748, section 5). */
export function x25519PublicKey(privateKey: Uint8Array): Buffer {
  const spki = createPublicKey(x25519Private(privateKey)).export({ format: 'der', type: 'spki' })
  return spki.subarray(X25519_SPKI_PREFIX.length)
}

/**
 * Seals a message to an X25519 public key: ephemeral public key ‖ secretbox. It does not authenticate the sender. Undefined
 * for a public key of small order, because every message would then have the same key (RFC 7748, section 6.1).
 */
export function sealToPublicKey(recipient: Uint8Array, plaintext: Uint8Array, entropy: Entropy): Buffer | undefined {
  const ephemeral = randomSecret(entropy)
  const ephemeralPublic = x25519PublicKey(ephemeral)
  const key = sealedBoxKey({ privateKey: ephemeral, publicKey: recipient, ephemeralPublic, recipient })
  if (key === undefined) return undefined
  return Buffer.concat([ephemeralPublic, sealSecretbox({ key, nonce: SEALED_BOX_NONCE, plaintext })])
}

/** Undefined if any byte was changed, or if the box was sealed to another key. */
export function openWithPrivateKey(privateKey: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < SEALED_BOX_OVERHEAD_BYTES) return undefined
  const ephemeralPublic = sealed.subarray(0, KEY_BYTES)
  const recipient = x25519PublicKey(privateKey)
  const key = sealedBoxKey({ privateKey, publicKey: ephemeralPublic, ephemeralPublic, recipient })
  if (key === undefined) return undefined
  return openSecretbox({ key, nonce: SEALED_BOX_NONCE, sealed: sealed.subarray(KEY_BYTES) })
}

/** HKDF-SHA256 (RFC 5869) of the shared secret. Both public keys are the salt, so no other pair derives this key. */
function sealedBoxKey(keys: {
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
  readonly ephemeralPublic: Uint8Array
  readonly recipient: Uint8Array
}): Buffer | undefined {
  const spki = Buffer.concat([X25519_SPKI_PREFIX, keys.publicKey])
  try {
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    const secret = diffieHellman({ privateKey: x25519Private(keys.privateKey), publicKey })
    const salt = Buffer.concat([keys.ephemeralPublic, keys.recipient])
    return Buffer.from(hkdfSync('sha256', secret, salt, SEALED_BOX_INFO, KEY_BYTES))
  } catch {
    // OpenSSL refuses an all-zero secret. Any other key that it refuses is unusable as well.
    return undefined
  }
}

export type Ed25519PrivateKey = KeyObject

/** DER prefixes of a bare 32-byte Ed25519 key; the key follows (RFC 8410, sections 7 and 4). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

export function ed25519Private(seed: Uint8Array): Ed25519PrivateKey {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
}

/** The 32-byte public key of a 32-byte seed (RFC 8032). */
export function ed25519PublicKey(seed: Uint8Array): Buffer {
  const spki = createPublicKey(ed25519Private(seed)).export({ format: 'der', type: 'spki' })
  return spki.subarray(SPKI_PREFIX.length)
}

/** A signature of 64 bytes (RFC 8032). */
export function ed25519Sign(key: Ed25519PrivateKey, message: Uint8Array): Buffer {
  return sign(null, message, key)
}

/** The key comes from our own database. The signature comes from anyone: one of another length is wrong, not an error. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
  return verify(null, message, key, signature)
}
