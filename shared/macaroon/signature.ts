/**
 * The HMAC chain of libmacaroons. *Verify* is this and nothing else: it says who made a macaroon, not what it allows.
 *
 *   sig₀ = HMAC(derived key, identifier)
 *   first party:  sig′ = HMAC(sig, cid)
 *   third party:  sig′ = HMAC(sig, HMAC(sig, vid) ‖ HMAC(sig, cid))
 *   discharge:    HMAC(0³², HMAC(0³², root's signature) ‖ HMAC(0³², its own)) is what it is sent with
 */
import { equalSecrets, hmac, hmacInto, hmacOfPairInto } from '../crypto.ts'
import { boundSignature } from './bind.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { openVerifierId } from './verifier-id.ts'

declare const authenticated: unique symbol

/** A macaroon whose chain was recomputed and matched. Only `verifyMacaroon` makes one; only these are cleared. */
export interface VerifiedMacaroon extends Macaroon {
  readonly [authenticated]: true
}

export function firstSignature(derivedKey: Uint8Array, identifier: Uint8Array): Uint8Array {
  return new Uint8Array(hmac(derivedKey, identifier))
}

/** The signature once these caveats are appended. */
export function signatureAfter(signature: Uint8Array, caveats: readonly Caveat[]): Uint8Array {
  const tail = Buffer.from(signature)
  for (const caveat of caveats) extend(tail, caveat)
  return new Uint8Array(tail)
}

/** The next link of a chain, in the place of the one before: this is what every cold verification pays. */
function extend(tail: Buffer, { cid, vid }: Caveat): void {
  if (vid === undefined) hmacInto(tail, tail, cid)
  else hmacOfPairInto(tail, tail, vid, cid)
}

/** The macaroon as authenticated, or undefined when its signature is not the end of the chain under this key. */
export function verifyMacaroon(macaroon: Macaroon, derivedKey: Uint8Array): VerifiedMacaroon | undefined {
  return verifyChain(macaroon, derivedKey)?.macaroon
}

/** An authenticated macaroon, and what only its verifier can know of it: the key of each third-party caveat. */
export interface VerifiedChain {
  readonly macaroon: VerifiedMacaroon
  /** By third-party caveat, in their order: the derived key of its discharge, undefined where the verifier id has none. */
  readonly caveatKeys: readonly (Uint8Array | undefined)[]
}

/** `rootSignature` for a discharge: then it is the bound signature that must match (bind.ts). */
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

/** HMACs that a verification of this macaroon takes, binding included: what the limits on work count. */
export function hmacCount(macaroon: Macaroon): number {
  const chain = macaroon.caveats.reduce((count, { vid }) => count + (vid === undefined ? 1 : HMACS_OF_PAIR), 1)
  return chain + HMACS_OF_PAIR
}

const HMACS_OF_PAIR = 3

interface Chain {
  readonly end: Uint8Array
  /** For each third-party caveat, the signature before it and its verifier id. */
  readonly before: readonly (readonly [Uint8Array, Uint8Array])[]
}

/** The same chain as `firstSignature` and `signatureAfter`. */
function recompute(derivedKey: Uint8Array, macaroon: Macaroon): Chain {
  const tail = hmac(derivedKey, macaroon.identifier)
  const before: (readonly [Uint8Array, Uint8Array])[] = []
  for (const caveat of macaroon.caveats) {
    if (caveat.vid !== undefined) before.push([new Uint8Array(tail), caveat.vid])
    extend(tail, caveat)
  }
  return { end: tail, before }
}
