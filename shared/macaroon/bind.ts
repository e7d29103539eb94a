/**
 * Binding ties a discharge to the one macaroon it is sent with, so a service that sees both cannot use the discharge with
 * another token. A discharge is always bound to the final signature of the ROOT, even if another discharge needs it.
 * Attenuating the root afterwards invalidates the binding, so the order is: attenuate, discharge, bind.
 */
import { hmacInto } from '../crypto.ts'
import { withBinding } from './chain.ts'
import type { Macaroon } from './macaroon.ts'

/** The discharge in the form that is sent with this root. It can no longer be attenuated, nor bound to another root. */
export function bindDischarge(root: Macaroon, discharge: Macaroon): Macaroon {
  return withBinding(hmacInto, root, discharge)
}

/** Binds every discharge to the root. Returns the bundle, root first. The discharges must not be bound yet. */
export function bindDischarges(root: Macaroon, discharges: readonly Macaroon[]): readonly Macaroon[] {
  return [root, ...discharges.map((discharge) => bindDischarge(root, discharge))]
}
