/** Makes a macaroon from a root key, and appends first-party caveats to one. Neither changes what it is given. */
import { deriveMacaroonKey, KEY_BYTES } from '../crypto.ts'
import { assert, MacaroondError } from '../errors.ts'
import type { Caveat, Macaroon, MacaroonOptions, RootKey } from './macaroon.ts'
import { firstSignature, signatureAfter } from './signature.ts'
import { encodeUtf8 } from './utf8.ts'

export function derivedKeyOf(rootKey: RootKey): Uint8Array {
  if ('secret' in rootKey) return deriveMacaroonKey(rootKey.secret)
  assert(rootKey.derivedKey.length === KEY_BYTES, 'a derived key has 32 bytes')
  return rootKey.derivedKey
}

export function createMacaroon(options: MacaroonOptions): Macaroon {
  const location = options.location ?? ''
  bytesOf(location, 'location')
  const identifier = bytesOf(options.identifier, 'identifier')
  const signature = firstSignature(derivedKeyOf(options), identifier)
  return { location, identifier, caveats: [], signature }
}

/** The macaroon with first-party caveats appended; the given one stays as it is. Texts are written in UTF-8. */
export function attenuate(macaroon: Macaroon, predicates: readonly (Uint8Array | string)[]): Macaroon {
  const added = predicates.map((predicate): Caveat => ({ cid: bytesOf(predicate, 'caveat') }))
  const signature = signatureAfter(macaroon.signature, added)
  return { ...macaroon, caveats: [...macaroon.caveats, ...added], signature }
}

/** Copies what the caller owns, so that a later change of it cannot part a macaroon from its signature. */
function bytesOf(value: Uint8Array | string, what: string): Uint8Array {
  const bytes = typeof value === 'string' ? encodeUtf8(value) : new Uint8Array(value)
  if (bytes !== undefined) return bytes
  throw new MacaroondError('caveat_malformed', `the ${what} has a lone surrogate and cannot be written in UTF-8`, {
    hint: 'give well-formed text, or bytes',
  })
}
