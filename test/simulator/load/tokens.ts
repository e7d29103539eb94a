/** The tokens of a run: the text that a service verifies, and the state of each token. */
import { systemEntropy, type Entropy } from '../../../shared/clock.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'

export interface ShownToken {
  /** Undefined for one that nobody minted. */
  readonly id?: string
  readonly text: string
  /** That the access names; the token's own unless it is shown where it must not count. */
  readonly org: string
  readonly sinceMs: number
  /** Whom it is for, where nothing else is. */
  readonly subject?: string
  /** Of the write that made it. */
  readonly position?: string
}

export const LOGIN = 'https://login.example'

export function narrowed(text: string): string {
  return encodeTokenText(attenuate(decodeTokenText(text), ['op in read,write']))
}

/** For another operation than everybody asks for. */
export function elsewhere(text: string): string {
  return encodeTokenText(attenuate(decodeTokenText(text), ['op = write']))
}

export function forged(text: string): string {
  const macaroon = decodeTokenText(text)
  const signature = macaroon.signature.map((byte, index) => (index === 0 ? byte ^ 1 : byte))
  return encodeTokenText({ ...macaroon, signature })
}

/** A login that is discharged already, so that the authority makes a service token of it. */
export function withLogin(text: string, entropy: Entropy = systemEntropy): string {
  const caveatKey = entropy.bytes(32)
  const ticket = entropy.bytes(16)
  const root = addThirdPartyCaveat(decodeTokenText(text), { caveatKey, ticket, location: LOGIN }, entropy)
  return encodeBundle(bindDischarges(root, [createDischarge({ ticket, caveatKey })]))
}
