/**
 * The verifier id of a third-party caveat: the derived caveat key, sealed under the signature before the caveat. Only the
 * verifier can recompute that signature, so only the verifier can open it.
 */
import type { Entropy } from '../clock.ts'
import { openSecretbox, SECRETBOX_NONCE_BYTES, SECRETBOX_TAG_BYTES, sealSecretbox } from '../crypto.ts'
import { KEY_BYTES } from '../hmac.ts'

const VERIFIER_ID_BYTES: number = SECRETBOX_NONCE_BYTES + SECRETBOX_TAG_BYTES + KEY_BYTES

/** nonce (24) ‖ tag (16) ‖ encrypted key (32). The nonce is random: two copies of one macaroon may get different caveats. */
export function sealVerifierId(signatureBefore: Uint8Array, derivedKey: Uint8Array, entropy: Entropy): Uint8Array {
  const nonce = entropy.bytes(SECRETBOX_NONCE_BYTES)
  const boxed = sealSecretbox({ key: signatureBefore, nonce, plaintext: derivedKey })
  return new Uint8Array(Buffer.concat([nonce, boxed]))
}

/** The derived key of the discharge, or undefined if `vid` was not sealed under this signature. */
export function openVerifierId(signatureBefore: Uint8Array, vid: Uint8Array): Uint8Array | undefined {
  if (vid.length !== VERIFIER_ID_BYTES) return undefined
  const nonce = vid.subarray(0, SECRETBOX_NONCE_BYTES)
  return openSecretbox({ key: signatureBefore, nonce, sealed: vid.subarray(SECRETBOX_NONCE_BYTES) })
}
