/**
 * The HMAC chain of libmacaroons, from a signature onwards: what a holder can do without the root key. Its HMAC is a
 * parameter, so it runs in a browser, too.
 *
 *   first party:  sig′ = HMAC(sig, cid)
 *   third party:  sig′ = HMAC(sig, HMAC(sig, vid) ‖ HMAC(sig, cid))
 *   bound discharge:  HMAC(0³², HMAC(0³², root's signature) ‖ HMAC(0³², its own signature))
 */
import { MacaroondError } from '../errors.ts'
import { type HmacInto, hmacOfPairInto, KEY_BYTES } from '../hmac.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { encodeUtf8 } from './utf8.ts'

/** Replaces the signature with the next link of the chain. Every uncached verification runs this, so it allocates nothing. */
export function extendChain(hmacInto: HmacInto, tail: Uint8Array, { cid, vid }: Caveat): void {
  if (vid === undefined) hmacInto(tail, tail, cid)
  else hmacOfPairInto(hmacInto, tail, tail, vid, cid)
}

/** The macaroon with caveats appended that are already in bytes, in the given order. */
export function withCaveats(hmacInto: HmacInto, macaroon: Macaroon, added: readonly Caveat[]): Macaroon {
  const signature = new Uint8Array(macaroon.signature)
  for (const caveat of added) extendChain(hmacInto, signature, caveat)
  return { ...macaroon, caveats: [...macaroon.caveats, ...added], signature }
}

/** The macaroon with first-party caveats appended. Throws caveat_malformed for a text with a lone surrogate. */
export function withPredicates(
  hmacInto: HmacInto,
  macaroon: Macaroon,
  predicates: readonly (Uint8Array | string)[],
): Macaroon {
  const added = predicates.map((predicate): Caveat => ({ cid: fieldBytes(predicate, 'caveat') }))
  return withCaveats(hmacInto, macaroon, added)
}

/** Copies the caller's bytes, so that a later change to them cannot make the macaroon differ from its signature. */
export function fieldBytes(value: Uint8Array | string, what: string): Uint8Array {
  const bytes = typeof value === 'string' ? encodeUtf8(value) : new Uint8Array(value)
  if (bytes !== undefined) return bytes
  throw new MacaroondError('caveat_malformed', `the ${what} has a lone surrogate and cannot be written in UTF-8`, {
    hint: 'give well-formed text, or bytes',
  })
}

/** libmacaroons binds under an all-zero key, because both inputs are already secret. */
const ZERO_KEY: Uint8Array = new Uint8Array(KEY_BYTES)

export function boundSignature(hmacInto: HmacInto, root: Uint8Array, discharge: Uint8Array): Uint8Array {
  const bound = new Uint8Array(KEY_BYTES)
  hmacOfPairInto(hmacInto, bound, ZERO_KEY, root, discharge)
  return bound
}

/**
 * The discharge in the form that is sent with this root. It is always bound to the final signature of the ROOT, even if
 * another discharge needs it.
 */
export function withBinding(hmacInto: HmacInto, root: Macaroon, discharge: Macaroon): Macaroon {
  return { ...discharge, signature: boundSignature(hmacInto, root.signature, discharge.signature) }
}
