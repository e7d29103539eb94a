/**
 * Third-party caveats as libmacaroons makes them: somebody else must agree, and proves it with a *discharge*, a macaroon
 * made with the caveat key. The verifier finds that key in the verifier id, sealed under the signature before the
 * caveat, which only the verifier can compute; the third party finds it in its ticket, the caveat id.
 */
import type { Entropy } from '../clock.ts'
import { deriveMacaroonKey, randomSecret } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import { attenuate, createMacaroon } from './attenuate.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { signatureAfter } from './signature.ts'
import { sealTicket, type TicketRecipient } from './ticket.ts'
import { encodeUtf8 } from './utf8.ts'
import { sealVerifierId } from './verifier-id.ts'

export interface ThirdPartyCaveat {
  /** A secret of any length, never used for a second caveat; libmacaroons' derivation is applied to it. */
  readonly caveatKey: Uint8Array
  /** What the third party gets to see: the caveat id, and the identifier of its discharge. */
  readonly ticket: Uint8Array | string
  /** Where the third party is found, '' for nowhere. A hint that no signature covers. */
  readonly location: string
}

/** The macaroon with a third-party caveat appended; the given one stays as it is. */
export function addThirdPartyCaveat(macaroon: Macaroon, caveat: ThirdPartyCaveat, entropy: Entropy): Macaroon {
  const { caveatKey, location } = caveat
  const cid = bytesOf(caveat.ticket, 'ticket')
  bytesOf(location, 'location')
  const vid = sealVerifierId(macaroon.signature, deriveMacaroonKey(caveatKey), entropy)
  const added: Caveat = location === '' ? { cid, vid } : { cid, vid, location }
  return { ...macaroon, caveats: [...macaroon.caveats, added], signature: signatureAfter(macaroon.signature, [added]) }
}

export interface SealedCaveat {
  readonly location: string
  /** What the third party is asked to confirm. */
  readonly condition: string
  readonly recipient: TicketRecipient
}

/** The usual way: draws a caveat key, seals it with the condition into a ticket, and appends the caveat. */
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
  /** The secret that the ticket stands for, before derivation. */
  readonly caveatKey: Uint8Array
  /** Default ''. */
  readonly location?: string
  /** First-party caveats under which the third party agrees. */
  readonly caveats?: readonly (Uint8Array | string)[]
}

/** What the third party gives out: a macaroon named by the ticket. Its holder binds it to the token (`bindDischarge`). */
export function createDischarge({ ticket, caveatKey, location = '', caveats = [] }: DischargeOptions): Macaroon {
  return attenuate(createMacaroon({ secret: caveatKey, identifier: ticket, location }), caveats)
}

function bytesOf(value: Uint8Array | string, what: string): Uint8Array {
  const bytes = typeof value === 'string' ? encodeUtf8(value) : new Uint8Array(value)
  if (bytes !== undefined) return bytes
  throw new MacaroondError('caveat_malformed', `the ${what} has a lone surrogate and cannot be written in UTF-8`)
}
