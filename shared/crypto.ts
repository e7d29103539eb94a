/**
 * Every cryptographic primitive of the project, and the only comparison of secrets. Nothing else imports `node:crypto`
 * for a hash, a cipher or a signature.
 *
 * HMAC is written out over `crypto.hash`, because a macaroon costs one HMAC with a fresh key for every caveat, and
 * `createHmac` pays for building a key object each time (10 µs and more on Node 24, against 0.5 µs here). Its result as
 * a 'binary' (latin-1) string avoids a Buffer that would cost more than the hash itself.
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

/** Length of every root key, caveat key and signature: the output of SHA-256. */
export const KEY_BYTES = 32

const BLOCK_BYTES = 64
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c
/** Messages up to this length are hashed through a view made once; longer ones get a buffer of their own. */
const PREPARED_BYTES = 1024

// Keys are always 32 bytes, so the second half of each block is the bare pad and is never written again (RFC 2104, 2).
const inner = Buffer.alloc(BLOCK_BYTES + PREPARED_BYTES, INNER_PAD)
const outer = Buffer.alloc(BLOCK_BYTES + KEY_BYTES, OUTER_PAD)
const innerViews = Array.from({ length: PREPARED_BYTES + 1 }, (_, length) => inner.subarray(0, BLOCK_BYTES + length))

/** libmacaroons' derivation constant, zero-padded to 32 bytes, which changes nothing for HMAC (RFC 2104, 2). */
const KEY_GENERATOR = Buffer.alloc(KEY_BYTES)
KEY_GENERATOR.write('macaroons-key-generator', 'latin1')

/** HMAC-SHA256 with a 32-byte key into `target` (32 bytes), which may be the key itself: a chain allocates nothing. */
export function hmacInto(target: Buffer, key: Uint8Array, message: Uint8Array): void {
  assert(key.length === KEY_BYTES && target.length === KEY_BYTES, 'an HMAC key and result have 32 bytes')
  for (let i = 0; i < KEY_BYTES; i += 1) {
    const byte = key[i] ?? 0
    inner[i] = byte ^ INNER_PAD
    outer[i] = byte ^ OUTER_PAD
  }
  outer.write(hash('sha256', innerMessage(message), 'binary'), BLOCK_BYTES, KEY_BYTES, 'latin1')
  target.write(hash('sha256', outer, 'binary'), 'latin1')
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

const pair = Buffer.alloc(2 * KEY_BYTES)
const pairFirst = pair.subarray(0, KEY_BYTES)
const pairSecond = pair.subarray(KEY_BYTES)

/**
 * HMAC(k, HMAC(k, a) ‖ HMAC(k, b)) into `target`, which may be the key: how libmacaroons signs a third-party caveat
 * (verifier id, then caveat id).
 */
export function hmacOfPairInto(target: Buffer, key: Uint8Array, first: Uint8Array, second: Uint8Array): void {
  hmacInto(pairFirst, key, first)
  hmacInto(pairSecond, key, second)
  hmacInto(target, key, pair)
}

export function hmacOfPair(key: Uint8Array, first: Uint8Array, second: Uint8Array): Buffer {
  const result = Buffer.alloc(KEY_BYTES)
  hmacOfPairInto(result, key, first, second)
  return result
}

/** The macaroon key that libmacaroons derives from a secret of any length. */
export function deriveMacaroonKey(secret: Uint8Array): Buffer {
  return hmac(KEY_GENERATOR, secret)
}

export function sha256(data: Uint8Array): Buffer {
  return hash('sha256', data, 'buffer')
}

/** SHA-256 of what comes in pieces. */
export class Sha256 {
  readonly #hash = createHash('sha256')

  update(piece: Uint8Array): this {
    this.#hash.update(piece)
    return this
  }

  /** Ends it. */
  hex(): string {
    return this.#hash.digest('hex')
  }
}

/** Equality in a time that tells nothing of the bytes; different lengths are unequal, and lengths are no secret. */
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

/** Undefined when anything of it was changed, or key, nonce or associated data are others. */
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

/** Nonce of XSalsa20: long enough to be drawn at random for any number of messages under one key. */
export const SECRETBOX_NONCE_BYTES = 24
/** Poly1305's tag, which stands in front of the ciphertext. */
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

/** Undefined when anything of it was changed, or key or nonce are others. */
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

/** DER prefixes of a bare X25519 key (RFC 8410, section 7 and 4). */
const X25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const X25519_SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

const SEALED_BOX_INFO = Buffer.from('macaroond sealed box 1')
/** Every message has a key of its own, drawn with its ephemeral key, so the nonce under it may be constant. */
const SEALED_BOX_NONCE = Buffer.alloc(SECRETBOX_NONCE_BYTES)

/** What a sealed box adds to its message: the ephemeral public key and the tag. */
export const SEALED_BOX_OVERHEAD_BYTES: number = KEY_BYTES + SECRETBOX_TAG_BYTES

function x25519Private(privateKey: Uint8Array): KeyObject {
  assert(privateKey.length === KEY_BYTES, 'an X25519 key has 32 bytes')
  return createPrivateKey({ key: Buffer.concat([X25519_PKCS8_PREFIX, privateKey]), format: 'der', type: 'pkcs8' })
}

/** The 32-byte public key that belongs to a private key of any 32 bytes. */
export function x25519PublicKey(privateKey: Uint8Array): Buffer {
  const spki = createPublicKey(x25519Private(privateKey)).export({ format: 'der', type: 'spki' })
  return spki.subarray(X25519_SPKI_PREFIX.length)
}

/**
 * Seals a message to an X25519 public key: ephemeral public key ‖ secretbox. Says nothing of who sealed it. Undefined
 * for a public key of small order, under which every message would have the same key (RFC 7748, section 6.1).
 */
export function sealToPublicKey(recipient: Uint8Array, plaintext: Uint8Array, entropy: Entropy): Buffer | undefined {
  const ephemeral = randomSecret(entropy)
  const ephemeralPublic = x25519PublicKey(ephemeral)
  const key = sealedBoxKey({ privateKey: ephemeral, publicKey: recipient, ephemeralPublic, recipient })
  if (key === undefined) return undefined
  return Buffer.concat([ephemeralPublic, sealSecretbox({ key, nonce: SEALED_BOX_NONCE, plaintext })])
}

/** Undefined when anything of it was changed, or it was sealed to another key. */
export function openWithPrivateKey(privateKey: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < SEALED_BOX_OVERHEAD_BYTES) return undefined
  const ephemeralPublic = sealed.subarray(0, KEY_BYTES)
  const recipient = x25519PublicKey(privateKey)
  const key = sealedBoxKey({ privateKey, publicKey: ephemeralPublic, ephemeralPublic, recipient })
  if (key === undefined) return undefined
  return openSecretbox({ key, nonce: SEALED_BOX_NONCE, sealed: sealed.subarray(KEY_BYTES) })
}

/** HKDF-SHA256 (RFC 5869) of the shared secret; both public keys go in, so that no other pair gives this key. */
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
    // OpenSSL refuses an all-zero secret; whatever else it refuses is no key to agree with either.
    return undefined
  }
}

export type Ed25519PrivateKey = KeyObject

/** DER prefixes of a bare 32-byte key (RFC 8410, section 7 and 4): the key itself follows. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

export function ed25519Private(seed: Uint8Array): Ed25519PrivateKey {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
}

/** The 32-byte public key that belongs to a seed. */
export function ed25519PublicKey(seed: Uint8Array): Buffer {
  const spki = createPublicKey(ed25519Private(seed)).export({ format: 'der', type: 'spki' })
  return spki.subarray(SPKI_PREFIX.length)
}

/** Signature of 64 bytes (RFC 8032). */
export function ed25519Sign(key: Ed25519PrivateKey, message: Uint8Array): Buffer {
  return sign(null, message, key)
}

/** Keys come from our own database, signatures from anyone: a signature of another length is simply wrong. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
  return verify(null, message, key, signature)
}
