/**
 * Binding: a discharge is tied to the one macaroon it is sent with, so that whoever sees both cannot use the discharge
 * for another. It is bound to the ROOT's final signature, also when another discharge asked for it; attenuating the root
 * afterwards undoes that, so the order is attenuate, discharge, bind.
 */
import { hmacOfPair, KEY_BYTES } from '../crypto.ts'
import type { Macaroon } from './macaroon.ts'

/** libmacaroons binds under an all-zero key: both inputs are secrets already. */
const ZERO_KEY: Uint8Array = new Uint8Array(KEY_BYTES)

export function boundSignature(rootSignature: Uint8Array, dischargeSignature: Uint8Array): Uint8Array {
  return new Uint8Array(hmacOfPair(ZERO_KEY, rootSignature, dischargeSignature))
}

/** The discharge as it is sent along with this root. It can neither be attenuated nor bound to another any more. */
export function bindDischarge(root: Macaroon, discharge: Macaroon): Macaroon {
  return { ...discharge, signature: boundSignature(root.signature, discharge.signature) }
}

/** A whole bundle, root first, from discharges that are not bound yet. */
export function bindDischarges(root: Macaroon, discharges: readonly Macaroon[]): readonly Macaroon[] {
  return [root, ...discharges.map((discharge) => bindDischarge(root, discharge))]
}
