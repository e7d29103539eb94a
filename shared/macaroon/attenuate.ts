/** Creates macaroons, and appends first-party caveats to them. Macaroons are immutable: every function returns a new one. */
import { deriveMacaroonKey, KEY_BYTES } from '../crypto.ts'
import { assert, MacaroondError } from '../errors.ts'
import type { Caveat, Macaroon, MacaroonOptions, RootKey } from './macaroon.ts'
import { firstSignature, signatureAfter } from './signature.ts'
import { encodeUtf8 } from './utf8.ts'

/** The 32-byte key that starts the HMAC chain: `secret` after libmacaroons' derivation, or `derivedKey` itself. */
export function derivedKeyOf(rootKey: RootKey): Uint8Array {
  if ('secret' in rootKey) return deriveMacaroonKey(rootKey.secret)
  assert(rootKey.derivedKey.length === KEY_BYTES, 'a derived key has 32 bytes')
  return rootKey.derivedKey
}

/** A macaroon without caveats. Texts are encoded in UTF-8. Throws caveat_malformed for a text with a lone surrogate. */
export function createMacaroon(options: MacaroonOptions): Macaroon {
  const location = options.location ?? ''
  bytesOf(location, 'location')
  const identifier = bytesOf(options.identifier, 'identifier')
  const signature = firstSignature(derivedKeyOf(options), identifier)
  return { location, identifier, caveats: [], signature }
}

/**
 * Returns the macaroon with first-party caveats appended, in the given order. Texts are encoded in UTF-8. Throws
 * caveat_malformed for a text with a lone surrogate. It does not check that a verifier will understand the predicates.
 */
export function attenuate(macaroon: Macaroon, predicates: readonly (Uint8Array | string)[]): Macaroon {
  const added = predicates.map((predicate): Caveat => ({ cid: bytesOf(predicate, 'caveat') }))
  const signature = signatureAfter(macaroon.signature, added)
  return { ...macaroon, caveats: [...macaroon.caveats, ...added], signature }
}

/** Copies the caller's bytes, so that a later change to them cannot make the macaroon differ from its signature. */
function bytesOf(value: Uint8Array | string, what: string): Uint8Array {
  const bytes = typeof value === 'string' ? encodeUtf8(value) : new Uint8Array(value)
  if (bytes !== undefined) return bytes
  throw new MacaroondError('caveat_malformed', `the ${what} has a lone surrogate and cannot be written in UTF-8`, {
    hint: 'give well-formed text, or bytes',
  })
}
