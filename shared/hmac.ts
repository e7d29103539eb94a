/**
 * HMAC-SHA256 (RFC 2104) as a parameter. To attenuate and to bind takes no other cryptography, so both also run where there
 * is no `node:crypto`. `shared/crypto.ts` has the HMAC of nodes, and `shared/holder/` has one for browsers.
 */

/** Length of every root key, caveat key and signature: the output of SHA-256. */
export const KEY_BYTES = 32

/** Writes HMAC(key, message) to `target`. Key and target have 32 bytes each, and may be the same array. */
export type HmacInto = (target: Uint8Array, key: Uint8Array, message: Uint8Array) => void

const pair = new Uint8Array(2 * KEY_BYTES)
const pairFirst = pair.subarray(0, KEY_BYTES)
const pairSecond = pair.subarray(KEY_BYTES)

/**
 * HMAC(k, HMAC(k, a) ‖ HMAC(k, b)), written to `target`, which may be the key. libmacaroons signs a third-party caveat this
 * way (verifier id first, then caveat id), and binds discharges this way.
 */
export function hmacOfPairInto(
  hmacInto: HmacInto,
  target: Uint8Array,
  key: Uint8Array,
  first: Uint8Array,
  second: Uint8Array,
): void {
  hmacInto(pairFirst, key, first)
  hmacInto(pairSecond, key, second)
  hmacInto(target, key, pair)
}
