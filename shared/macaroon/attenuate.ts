/** Creates macaroons, and appends first-party caveats to them. Macaroons are immutable: every function returns a new one. */
import { deriveMacaroonKey, hmac, hmacInto } from '../crypto.ts'
import { assert } from '../errors.ts'
import { KEY_BYTES } from '../hmac.ts'
import { fieldBytes, withPredicates } from './chain.ts'
import type { Macaroon, MacaroonOptions, RootKey } from './macaroon.ts'

/** The 32-byte key that starts the HMAC chain: `secret` after libmacaroons' derivation, or `derivedKey` itself. */
export function derivedKeyOf(rootKey: RootKey): Uint8Array {
  if ('secret' in rootKey) return deriveMacaroonKey(rootKey.secret)
  assert(rootKey.derivedKey.length === KEY_BYTES, 'a derived key has 32 bytes')
  return rootKey.derivedKey
}

/** A macaroon without caveats. Texts are encoded in UTF-8. Throws caveat_malformed for a text with a lone surrogate. */
export function createMacaroon(options: MacaroonOptions): Macaroon {
  const location = options.location ?? ''
  fieldBytes(location, 'location')
  const identifier = fieldBytes(options.identifier, 'identifier')
  const signature = new Uint8Array(hmac(derivedKeyOf(options), identifier))
  return { location, identifier, caveats: [], signature }
}

/**
 * Returns the macaroon with first-party caveats appended, in the given order. Texts are encoded in UTF-8. Throws
 * caveat_malformed for a text with a lone surrogate. It does not check that a verifier will understand the predicates.
 */
export function attenuate(macaroon: Macaroon, predicates: readonly (Uint8Array | string)[]): Macaroon {
  return withPredicates(hmacInto, macaroon, predicates)
}
