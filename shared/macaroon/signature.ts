/**
 * The HMAC chain of libmacaroons. *Verify* is this and nothing else: it says who made a macaroon, not what it allows.
 *
 *   sig₀ = HMAC(derived key, identifier)
 *   first party:  sig′ = HMAC(sig, cid)
 *   third party:  sig′ = HMAC(sig, HMAC(sig, vid) ‖ HMAC(sig, cid))
 */
import { equalSecrets, hmac, hmacInto, hmacOfPair } from '../crypto.ts'
import type { Caveat, Macaroon } from './macaroon.ts'

declare const authenticated: unique symbol

/** A macaroon whose chain was recomputed and matched. Only `verifyMacaroon` makes one; only these are cleared. */
export interface VerifiedMacaroon extends Macaroon {
  readonly [authenticated]: true
}

export function firstSignature(derivedKey: Uint8Array, identifier: Uint8Array): Uint8Array {
  return new Uint8Array(hmac(derivedKey, identifier))
}

export function nextSignature(signature: Uint8Array, caveat: Caveat): Uint8Array {
  const { cid, vid } = caveat
  return new Uint8Array(vid === undefined ? hmac(signature, cid) : hmacOfPair(signature, vid, cid))
}

/** The macaroon as authenticated, or undefined when its signature is not the end of the chain under this key. */
export function verifyMacaroon(macaroon: Macaroon, derivedKey: Uint8Array): VerifiedMacaroon | undefined {
  const matches = equalSecrets(chainEnd(derivedKey, macaroon), macaroon.signature)
  return matches ? (macaroon as VerifiedMacaroon) : undefined
}

/** The same chain as `firstSignature` and `nextSignature`, in one buffer: this is what every cold verification pays. */
function chainEnd(derivedKey: Uint8Array, macaroon: Macaroon): Buffer {
  const tail = hmac(derivedKey, macaroon.identifier)
  for (const { cid, vid } of macaroon.caveats) {
    if (vid === undefined) hmacInto(tail, tail, cid)
    else hmacOfPair(tail, vid, cid).copy(tail)
  }
  return tail
}
