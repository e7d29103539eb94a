/** The ticket of the last third-party caveat of a bundle's token: the login, as its service put it in. */
import { encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'

export function ticketOf(bundle: string): Uint8Array {
  return decodeBundle(bundle)[0]?.caveats.findLast(({ vid }) => vid !== undefined)?.cid ?? new Uint8Array()
}

export function ticketTextOf(bundle: string): string {
  return encodeBase64Url(ticketOf(bundle))
}
