/** Recognises well-known formats that are not read here, so that the error names what the user pasted. */
import { unsupported } from './format-errors.ts'

/** Pattern, name and hint of each format. The first match wins. */
const TEXTS: readonly (readonly [RegExp, string, string])[] = [
  [/^(Bearer|FlyV1|token) /i, 'an authorization header', 'give the token without the scheme in front of it'],
  [/^fm(2|1[a-z])_/, 'a Fly.io macaroon', 'only the libmacaroons family of formats is read here'],
  [/^mcn(?!1_)[0-9]+_/, 'a token in a newer text form', 'upgrade this program'],
  [/^eyJ[\w-]*\.[\w-]*\./, 'a JSON Web Token', 'this authority issues macaroons'],
  [/^[0-9a-f]{4}(location|identifier|cid) /, 'a V1 macaroon without its base64', 'encode it in base64url'],
  [/~/, 'a bundle of a token and its discharges', 'give one token alone, without its discharges'],
]

/** Throws token_unsupported if the text is in one of these formats. */
export function refuseForeignText(text: string): void {
  for (const [pattern, what, hint] of TEXTS) if (pattern.test(text)) throw unsupported(what, hint)
}
