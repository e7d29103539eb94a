/**
 * Third-party caveats as libmacaroons makes them. A third party must agree, and proves it with a *discharge*, a macaroon
 * made with the caveat key. The verifier finds this key in the verifier id, sealed under the signature before the caveat,
 * which only the verifier can compute. The third party finds the key in its ticket, which is the caveat id.
 */
import type { Entropy } from '../clock.ts'
import { deriveMacaroonKey, hmacInto, randomSecret } from '../crypto.ts'
import { attenuate, createMacaroon } from './attenuate.ts'
import { fieldBytes, withCaveats } from './chain.ts'
import type { Macaroon } from './macaroon.ts'
import { sealTicket, type TicketRecipient } from './ticket.ts'
import { sealVerifierId } from './verifier-id.ts'

export interface ThirdPartyCaveat {
  /** A secret of any length, used for one caveat only. libmacaroons' derivation is applied to it. */
  readonly caveatKey: Uint8Array
  /** The caveat id. The third party receives it, and it becomes the identifier of the discharge. */
  readonly ticket: Uint8Array | string
  /** Address of the third party, '' for none. A hint that no signature covers. */
  readonly location: string
}

/**
 * Returns the macaroon with a third-party caveat appended, for a ticket of any kind. Throws caveat_malformed for a text with
 * a lone surrogate.
 */
export function addThirdPartyCaveat(macaroon: Macaroon, caveat: ThirdPartyCaveat, entropy: Entropy): Macaroon {
  const { caveatKey, location } = caveat
  const cid = fieldBytes(caveat.ticket, 'ticket')
  fieldBytes(location, 'location')
  const vid = sealVerifierId(macaroon.signature, deriveMacaroonKey(caveatKey), entropy)
  return withCaveats(hmacInto, macaroon, [location === '' ? { cid, vid } : { cid, vid, location }])
}

export interface SealedCaveat {
  readonly location: string
  /** The condition that the third party must confirm, in its own language. */
  readonly condition: string
  readonly recipient: TicketRecipient
}

/**
 * Returns the macaroon with a third-party caveat appended, for a third party that uses our tickets: draws a caveat key and
 * seals it with the condition into the ticket. Throws caveat_malformed and key_malformed, as `sealTicket` does.
 */
export function requireDischarge(
  macaroon: Macaroon,
  { location, condition, recipient }: SealedCaveat,
  entropy: Entropy,
): Macaroon {
  const caveatKey = randomSecret(entropy)
  const ticket = sealTicket({ caveatKey, condition }, recipient, entropy)
  return addThirdPartyCaveat(macaroon, { caveatKey, ticket, location }, entropy)
}

export interface DischargeOptions {
  readonly ticket: Uint8Array | string
  /** The caveat key that the ticket contains, before derivation. */
  readonly caveatKey: Uint8Array
  /** Default ''. */
  readonly location?: string
  /** First-party caveats of the discharge, with which the third party restricts its agreement. */
  readonly caveats?: readonly (Uint8Array | string)[]
}

/** The third party's answer: a macaroon whose identifier is the ticket. The holder binds it to the token (`bindDischarge`). */
export function createDischarge({ ticket, caveatKey, location = '', caveats = [] }: DischargeOptions): Macaroon {
  return attenuate(createMacaroon({ secret: caveatKey, identifier: ticket, location }), caveats)
}
