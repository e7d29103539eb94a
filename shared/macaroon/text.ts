/**
 * Macaroons as text. The form of this authority is `mcn1_` + base64url(V2) + `.` + CRC-32 of that base64url text in 8
 * hex digits. The checksum is no protection: it tells a paste that was cut off or mistyped from a token that was forged,
 * before any cryptography. All characters are of RFC 6750's b64token alphabet, so the text goes into an Authorization
 * header as it is. Read as well: the plain base64url of every format, and V2J as it stands.
 */
import { crc32 } from 'node:zlib'
import { MacaroondError } from '../errors.ts'
import { base64UrlFault, decodeBase64Url, encodeBase64Url } from './base64url.ts'
import { refuseForeignText } from './foreign-formats.ts'
import { malformed, tooLarge, truncated } from './format-errors.ts'
import { type MacaroonLimits, textCharsMax, TOKEN_LIMITS } from './format-limits.ts'
import { decodeMacaroon, encodeMacaroon, type MacaroonFormat, sniffFormat } from './format.ts'
import type { Macaroon } from './macaroon.ts'
import { decodeV2 } from './v2-reader.ts'
import { encodeV2 } from './v2-writer.ts'
import { decodeV2J } from './v2j-reader.ts'

const PREFIX = 'mcn1_'
const CHECKSUM_DIGITS = 8
const JSON_START = /^[ \t\r\n]*\{/

/** `text` is the form of this authority; the others are what other libraries write. */
export type TextFormat = MacaroonFormat | 'text'

export interface TextMacaroon {
  readonly format: TextFormat
  readonly macaroon: Macaroon
}

/** Fails with `token_too_large` rather than write a token that no verifier would read. */
export function encodeTokenText(macaroon: Macaroon, limits: MacaroonLimits = TOKEN_LIMITS): string {
  const bytes = encodeV2(macaroon)
  decodeV2(bytes, limits)
  const body = encodeBase64Url(bytes)
  return `${PREFIX}${body}.${checksumOf(body)}`
}

/** V1 and V2 in base64url without padding, V2J as JSON. Fails with `token_too_large` like `encodeTokenText`. */
export function encodeText(macaroon: Macaroon, format: TextFormat, limits: MacaroonLimits = TOKEN_LIMITS): string {
  if (format === 'text') return encodeTokenText(macaroon, limits)
  const bytes = encodeMacaroon(macaroon, format)
  decodeMacaroon(bytes, limits)
  return format === 'v2j' ? Buffer.from(bytes).toString('utf8') : encodeBase64Url(bytes)
}

/**
 * Reads one macaroon in any form. Errors: `token_truncated`, `token_damaged`, `token_too_large`, `token_unsupported`
 * (names the format), and the faults of `EncodingFault`.
 */
export function decodeTokenText(text: string, limits: MacaroonLimits = TOKEN_LIMITS): Macaroon {
  return readTokenText(text, limits).macaroon
}

/** The same, with the form it was in. */
export function readTokenText(text: string, limits: MacaroonLimits = TOKEN_LIMITS): TextMacaroon {
  if (typeof text !== 'string' || text === '') throw malformed('token_malformed', 'there is no token')
  const charsMax = textCharsMax(limits)
  if (text.length > charsMax) throw tooLarge(`the token has ${text.length} characters`, charsMax)
  if (text.startsWith(PREFIX)) return { format: 'text', macaroon: decodeV2(bytesOf(checkedBody(text)), limits) }
  if (isJsonText(text)) return { format: 'v2j', macaroon: decodeV2J(text, limits) }
  refuseForeignText(text)
  if (PREFIX.startsWith(text)) throw truncated('only its beginning is there')
  const bytes = bytesOf(text)
  return { format: sniffFormat(bytes) ?? 'v2', macaroon: decodeMacaroon(bytes, limits) }
}

/** A brace begins no other form. */
export function isJsonText(text: string): boolean {
  return JSON_START.test(text)
}

/** The base64url part, once the checksum behind it holds. */
function checkedBody(text: string): string {
  const body = text.slice(PREFIX.length, -CHECKSUM_DIGITS - 1)
  if (text.endsWith(`.${checksumOf(body)}`)) return body
  throw damageOf(text)
}

/** Tells what happened to a text whose end is not the checksum of what stands before it. */
function damageOf(text: string): MacaroondError {
  const dot = text.indexOf('.')
  if (dot === -1) return truncated('no checksum stands at its end')
  const checksum = text.slice(dot + 1)
  if (checksum.includes('~')) refuseForeignText(text)
  if (/^[0-9a-f]{0,7}$/.test(checksum)) return truncated('its checksum is cut off')
  return new MacaroondError('token_damaged', 'the token was changed on its way: its checksum does not match', {
    hint: 'copy the token again, whole, without line breaks',
  })
}

function bytesOf(body: string): Uint8Array {
  const bytes = decodeBase64Url(body)
  if (bytes !== undefined) return bytes
  throw malformed('token_base64', `it is not canonical base64url without padding: ${base64UrlFault(body)}`)
}

function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(CHECKSUM_DIGITS, '0')
}
