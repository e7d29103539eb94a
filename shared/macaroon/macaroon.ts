/**
 * A macaroon: an identifier, a list of caveats, and the last link of the HMAC chain over them.
 *
 * Whoever holds one can append caveats, and nobody can take one away: the signature before a caveat cannot be computed
 * from the one after it. Locations are hints that no signature covers; nothing here decides by them.
 */
import { deriveMacaroonKey, KEY_BYTES } from '../crypto.ts'
import { assert, MacaroondError } from '../errors.ts'
import { firstSignature, signatureAfter } from './signature.ts'
import { encodeUtf8 } from './utf8.ts'

export interface Caveat {
  /** A predicate (first party), or the ticket for the third party. Any bytes. */
  readonly cid: Uint8Array
  /** Verifier id, 72 bytes; its presence makes this a third-party caveat. */
  readonly vid?: Uint8Array
  /** Where the third party is found; only with `vid`. Not covered by the signature. */
  readonly location?: string
}

export interface Macaroon {
  /** A hint, '' for none. Not covered by the signature. */
  readonly location: string
  readonly identifier: Uint8Array
  readonly caveats: readonly Caveat[]
  /** 32 bytes. Whoever has it can attenuate, so it is as good as the macaroon. */
  readonly signature: Uint8Array
}

/** A secret, to which libmacaroons' derivation is applied, or the 32 bytes that came out of it. */
export type RootKey = { readonly secret: Uint8Array } | { readonly derivedKey: Uint8Array }

export type MacaroonOptions = RootKey & {
  readonly identifier: Uint8Array | string
  /** Default ''. */
  readonly location?: string
}

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
