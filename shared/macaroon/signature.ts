/**
 * Verifies macaroons. To *verify* is to recompute the HMAC chain, and nothing else: a match shows that the macaroon was made
 * with the root key, not what it allows. Clearing the caveats is another step, in `shared/verifier`.
 *
 * The chain begins with sig₀ = HMAC(derived key, identifier) and continues as in `chain.ts`.
 */
import { equalSecrets, hmac, hmacInto } from '../crypto.ts'
import { boundSignature, extendChain } from './chain.ts'
import type { Macaroon } from './macaroon.ts'
import { openVerifierId } from './verifier-id.ts'

declare const authenticated: unique symbol

/** A macaroon whose chain was recomputed and matched. Only this file creates one, and only such a macaroon is cleared. */
export interface VerifiedMacaroon extends Macaroon {
  readonly [authenticated]: true
}

/** The macaroon as verified, or undefined if its signature is not the end of the chain under this 32-byte derived key. */
export function verifyMacaroon(macaroon: Macaroon, derivedKey: Uint8Array): VerifiedMacaroon | undefined {
  return verifyChain(macaroon, derivedKey)?.macaroon
}

/** A verified macaroon with the keys of its third-party caveats, which only its verifier can compute. */
export interface VerifiedChain {
  readonly macaroon: VerifiedMacaroon
  /** One derived key per third-party caveat, in their order. Undefined if the verifier id does not open. */
  readonly caveatKeys: readonly (Uint8Array | undefined)[]
}

/** With `rootSignature` the macaroon is a discharge, and its bound signature must match (bind.ts). */
export function verifyChain(
  macaroon: Macaroon,
  derivedKey: Uint8Array,
  rootSignature?: Uint8Array,
): VerifiedChain | undefined {
  const { end, before } = recompute(derivedKey, macaroon)
  const expected = rootSignature === undefined ? end : boundSignature(hmacInto, rootSignature, end)
  if (!equalSecrets(expected, macaroon.signature)) return undefined
  const caveatKeys = before.map(([signature, vid]) => openVerifierId(signature, vid))
  return { macaroon: macaroon as VerifiedMacaroon, caveatKeys }
}

/** Number of HMACs that verifying this macaroon takes, including the binding. The limits on work count these. */
export function hmacCount(macaroon: Macaroon): number {
  const chain = macaroon.caveats.reduce((count, { vid }) => count + (vid === undefined ? 1 : HMACS_OF_PAIR), 1)
  return chain + HMACS_OF_PAIR
}

const HMACS_OF_PAIR = 3

interface Chain {
  readonly end: Uint8Array
  /** Signature before the caveat, and verifier id, of each third-party caveat. */
  readonly before: readonly (readonly [Uint8Array, Uint8Array])[]
}

/** Computes the chain from its beginning, and notes the third-party caveats on the way. */
function recompute(derivedKey: Uint8Array, macaroon: Macaroon): Chain {
  const tail = hmac(derivedKey, macaroon.identifier)
  const before: (readonly [Uint8Array, Uint8Array])[] = []
  for (const caveat of macaroon.caveats) {
    if (caveat.vid !== undefined) before.push([new Uint8Array(tail), caveat.vid])
    extendChain(hmacInto, tail, caveat)
  }
  return { end: tail, before }
}
