/**
 * The HMAC chain of libmacaroons. To *verify* is to recompute it, and nothing else: a match shows that the macaroon was made
 * with the root key, not what it allows. Clearing the caveats is another step, in `shared/verifier`.
 *
 *   sig₀ = HMAC(derived key, identifier)
 *   first party:  sig′ = HMAC(sig, cid)
 *   third party:  sig′ = HMAC(sig, HMAC(sig, vid) ‖ HMAC(sig, cid))
 *   bound discharge:  HMAC(0³², HMAC(0³², root's signature) ‖ HMAC(0³², its own signature))
 */
import { equalSecrets, hmac, hmacInto, hmacOfPairInto } from '../crypto.ts'
import { boundSignature } from './bind.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { openVerifierId } from './verifier-id.ts'

declare const authenticated: unique symbol

/** A macaroon whose chain was recomputed and matched. Only this file creates one, and only such a macaroon is cleared. */
export interface VerifiedMacaroon extends Macaroon {
  readonly [authenticated]: true
}

export function firstSignature(derivedKey: Uint8Array, identifier: Uint8Array): Uint8Array {
  return new Uint8Array(hmac(derivedKey, identifier))
}

/** The signature after these caveats are appended. */
export function signatureAfter(signature: Uint8Array, caveats: readonly Caveat[]): Uint8Array {
  const tail = Buffer.from(signature)
  for (const caveat of caveats) extend(tail, caveat)
  return new Uint8Array(tail)
}

/** Replaces the signature with the next link of the chain. Every uncached verification runs this, so it allocates nothing. */
function extend(tail: Buffer, { cid, vid }: Caveat): void {
  if (vid === undefined) hmacInto(tail, tail, cid)
  else hmacOfPairInto(tail, tail, vid, cid)
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
  const expected = rootSignature === undefined ? end : boundSignature(rootSignature, end)
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

/** Computes the chain of `firstSignature` and `signatureAfter`, and notes the third-party caveats on the way. */
function recompute(derivedKey: Uint8Array, macaroon: Macaroon): Chain {
  const tail = hmac(derivedKey, macaroon.identifier)
  const before: (readonly [Uint8Array, Uint8Array])[] = []
  for (const caveat of macaroon.caveats) {
    if (caveat.vid !== undefined) before.push([new Uint8Array(tail), caveat.vid])
    extend(tail, caveat)
  }
  return { end: tail, before }
}
