/**
 * Macaroons as text. The form of this authority is `mcn1_` + base64url(V2) + `.` + CRC-32 of that base64url text in 8 hex
 * digits. The checksum gives no security: it lets the error distinguish a damaged paste from a forged token. All characters
 * are in RFC 6750's b64token alphabet, so the text fits into an Authorization header.
 * Readers also accept plain base64url of V1, V2 and V2J, and V2J as JSON.
 */
import { MacaroondError } from '../errors.ts'
import { malformed, tooLarge, truncated, unsupported } from './format-errors.ts'
import { type MacaroonLimits, textCharsMax, TOKEN_LIMITS } from './format-limits.ts'
import { decodeMacaroon, encodeMacaroon, type MacaroonFormat, sniffFormat } from './format.ts'
import type { Macaroon } from './macaroon.ts'
import { base64UrlFault } from './portable-base64.ts'
import { decodeV2 } from './v2-reader.ts'
import { encodeV2 } from './v2-writer.ts'
import { decodeV2J } from './v2j-reader.ts'
import { encodeV2J } from './v2j-writer.ts'

const PREFIX = 'mcn1_'
const CHECKSUM_DIGITS = 8
const JSON_START = /^[ \t\r\n]*\{/

/** `text` is the form of this authority. The other formats are those of other libraries. */
export type TextFormat = MacaroonFormat | 'text'

export interface TextMacaroon {
  readonly format: TextFormat
  readonly macaroon: Macaroon
}

/** Node has each of these in native code, which is several times as fast; a browser has none of them. */
export interface TextPrimitives {
  /** Without padding (RFC 4648, section 5). */
  readonly encodeBase64Url: (bytes: Uint8Array) => string
  /** Undefined unless the text is the canonical encoding of its bytes. */
  readonly decodeBase64Url: (text: string) => Uint8Array | undefined
  /** CRC-32 (IEEE 802.3) of the text in UTF-8, as an unsigned number. */
  readonly crc32: (text: string) => number
}

/** Reads and writes the text of one macaroon. `text.ts` has its functions for a node, and `shared/holder/` for browsers. */
export class TextCodec {
  readonly #primitives: TextPrimitives

  constructor(primitives: TextPrimitives) {
    this.#primitives = primitives
  }

  /** The text form of this authority. Throws token_too_large if no verifier would read the token. */
  encodeToken(macaroon: Macaroon, limits: MacaroonLimits = TOKEN_LIMITS): string {
    const bytes = encodeV2(macaroon)
    decodeV2(bytes, limits)
    const body = this.#primitives.encodeBase64Url(bytes)
    return `${PREFIX}${body}.${this.#checksumOf(body)}`
  }

  /** Any text form. Throws token_too_large. */
  encode(macaroon: Macaroon, format: TextFormat, limits: MacaroonLimits = TOKEN_LIMITS): string {
    if (format === 'text') return this.encodeToken(macaroon, limits)
    const bytes = encodeMacaroon(macaroon, format)
    decodeMacaroon(bytes, limits)
    return format === 'v2j' ? encodeV2J(macaroon) : this.#primitives.encodeBase64Url(bytes)
  }

  /** Any text form. Throws as `readTokenText` says. */
  read(text: string, limits: MacaroonLimits = TOKEN_LIMITS): TextMacaroon {
    if (typeof text !== 'string' || text === '') throw malformed('token_malformed', 'there is no token')
    const charsMax = textCharsMax(limits)
    if (text.length > charsMax) throw tooLarge(`the token has ${text.length} characters`, charsMax)
    if (text.startsWith(PREFIX)) {
      return { format: 'text', macaroon: decodeV2(this.#bytesOf(this.#checkedBody(text)), limits) }
    }
    if (isJsonText(text)) return { format: 'v2j', macaroon: decodeV2J(text, limits) }
    refuseForeignText(text)
    if (PREFIX.startsWith(text)) throw truncated('only its first characters are there')
    const bytes = this.#bytesOf(text)
    return { format: sniffFormat(bytes) ?? 'v2', macaroon: decodeMacaroon(bytes, limits) }
  }

  /** The base64url part. Throws if the checksum after it does not match. */
  #checkedBody(text: string): string {
    const body = text.slice(PREFIX.length, -CHECKSUM_DIGITS - 1)
    if (text.endsWith(`.${this.#checksumOf(body)}`)) return body
    throw damageOf(text)
  }

  #bytesOf(body: string): Uint8Array {
    const bytes = this.#primitives.decodeBase64Url(body)
    if (bytes !== undefined) return bytes
    throw malformed('token_base64', `it is not canonical base64url without padding: ${base64UrlFault(body)}`)
  }

  #checksumOf(body: string): string {
    return this.#primitives.crc32(body).toString(16).padStart(CHECKSUM_DIGITS, '0')
  }
}

/** True if the text begins with a brace, after optional white space. No other form begins with one. */
export function isJsonText(text: string): boolean {
  return JSON_START.test(text)
}

/** Finds out how a text with a wrong checksum was damaged, for the error. */
function damageOf(text: string): MacaroondError {
  const dot = text.indexOf('.')
  if (dot === -1) return truncated('it has no checksum at its end')
  const checksum = text.slice(dot + 1)
  if (checksum.includes('~')) refuseForeignText(text)
  if (/^[0-9a-f]{0,7}$/.test(checksum)) return truncated('its checksum is cut off')
  return new MacaroondError('token_damaged', 'the token was changed on its way: its checksum does not match', {
    hint: 'copy the whole token again, without line breaks',
  })
}

/** Pattern, name and hint of each foreign format. The first match wins. */
const FOREIGN_FORMATS: readonly (readonly [RegExp, string, string])[] = [
  [/^(Bearer|FlyV1|token) /i, 'an authorization header', 'give the token without the scheme in front of it'],
  [/^fm(2|1[a-z])_/, 'a Fly.io macaroon', 'only the libmacaroons family of formats is read here'],
  [/^mcn(?!1_)[0-9]+_/, 'a token in a newer text form', 'upgrade this program'],
  [/^eyJ[\w-]*\.[\w-]*\./, 'a JSON Web Token', 'this authority issues macaroons'],
  [/^[0-9a-f]{4}(location|identifier|cid) /, 'a V1 macaroon without its base64', 'encode it in base64url'],
  [/~/, 'a bundle of a token and its discharges', 'give one token alone, without its discharges'],
]

/** Recognises well-known formats that are not read here, so that the error names what was pasted. Throws token_unsupported. */
function refuseForeignText(text: string): void {
  for (const [pattern, what, hint] of FOREIGN_FORMATS) if (pattern.test(text)) throw unsupported(what, hint)
}
