/** The ticket of the last third-party caveat of a bundle's token: the login, as its service put it in. */
import { encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { tokenId } from '../../../shared/ids.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'

export function ticketOf(bundle: string): Uint8Array {
  return decodeBundle(bundle)[0]?.caveats.findLast(({ vid }) => vid !== undefined)?.cid ?? new Uint8Array()
}

/** What an exchange has to be told of the login: into which token it was put, and its ticket. */
export function loginOf(bundle: string): { readonly id: string; readonly ticket: string } {
  return { id: idOf(bundle), ticket: ticketTextOf(bundle) }
}

export function idOf(bundle: string): string {
  const { kid, nonce } = decodeIdentifier(decodeBundle(bundle)[0]?.identifier ?? new Uint8Array())
  return tokenId(kid, nonce)
}

export function ticketTextOf(bundle: string): string {
  return encodeBase64Url(ticketOf(bundle))
}
