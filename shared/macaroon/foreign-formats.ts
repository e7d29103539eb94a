/** Formats that are recognised only to be named in the error: whoever pastes the wrong token learns what it was. */
import { MacaroondError } from '../errors.ts'

/** What a text begins with, and what it then is. The first match counts. */
const TEXTS: readonly (readonly [RegExp, string, string])[] = [
  [/^(Bearer|FlyV1|token) /i, 'an authorization header', 'give the token without the scheme in front of it'],
  [/^fm(2|1r|1a)_/, 'a Fly.io macaroon', 'only the libmacaroons family of formats is read here'],
  [/^mcn(?!1_)[0-9]+_/, 'a token in a newer text form', 'upgrade this program'],
  [/^eyJ[\w-]*\.[\w-]*\./, 'a JSON Web Token', 'this authority issues macaroons'],
  [/^\s*\{.*"s(64)?"\s*:/s, 'a macaroon in the V2J (JSON) format', 'write it in the V2 binary format'],
  [/^\s*\{/, 'a macaroon in a JSON format', 'write it in the V2 binary format'],
  [/~/, 'a bundle of a token and its discharges', 'third-party caveats are not supported yet: give the token alone'],
]

const V1_PACKET = /^[0-9a-f]{4}(location|identifier|cid) /

export function refuseForeignText(text: string): void {
  for (const [pattern, what, hint] of TEXTS) if (pattern.test(text)) throw unsupported(what, hint)
}

/** `bytes` are of no version known here; V1 begins with a packet length in hex, JSON with a brace. */
export function refuseForeignBytes(bytes: Uint8Array): void {
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1')
  if (V1_PACKET.test(start)) throw unsupported('a macaroon in the V1 binary format', 'write it in the V2 format')
  if (start.startsWith('{')) throw unsupported('a macaroon in a JSON format', 'write it in the V2 binary format')
}

function unsupported(what: string, hint: string): MacaroondError {
  return new MacaroondError('token_unsupported', `this is ${what}`, { hint })
}
