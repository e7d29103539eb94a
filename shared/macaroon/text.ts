/**
 * The text form of a token: `mcn1_` + base64url(V2) + `.` + CRC-32 of that base64url text in 8 hex digits. The checksum
 * is no protection: it tells a paste that was cut off or mistyped from a token that was forged, before any cryptography.
 * All characters are of RFC 6750's b64token alphabet, so the text goes into an Authorization header as it is.
 */
import { crc32 } from 'node:zlib'
import { MacaroondError } from '../errors.ts'
import { TOKEN_BYTES_MAX, TOKEN_TEXT_CHARS_MAX } from '../limits.ts'
import { decodeBase64Url, encodeBase64Url } from './base64url.ts'
import { refuseForeignText } from './foreign-formats.ts'
import type { Macaroon } from './macaroon.ts'
import { decodeV2 } from './v2-reader.ts'
import { encodeV2 } from './v2-writer.ts'

const PREFIX = 'mcn1_'
const CHECKSUM_DIGITS = 8

/** Fails with `token_too_large` rather than write a token that no verifier would read. */
export function encodeTokenText(macaroon: Macaroon): string {
  const bytes = encodeV2(macaroon)
  decodeV2(bytes)
  const body = encodeBase64Url(bytes)
  return `${PREFIX}${body}.${checksumOf(body)}`
}

/**
 * Reads the text form, or the plain base64url of a V2 macaroon as other libraries write it. Errors: `token_truncated`,
 * `token_damaged`, `token_too_large`, `token_unsupported` (names the format), `token_malformed`.
 */
export function decodeTokenText(text: string): Macaroon {
  if (typeof text !== 'string' || text === '') throw malformed('there is no token')
  if (text.length > TOKEN_TEXT_CHARS_MAX) {
    throw new MacaroondError('token_too_large', `the token has more than ${TOKEN_TEXT_CHARS_MAX} characters`, {
      hint: `a token has at most ${TOKEN_BYTES_MAX} bytes`,
    })
  }
  const bytes = decodeBase64Url(text.startsWith(PREFIX) ? checkedBody(text) : plainBody(text))
  if (bytes === undefined) throw malformed('it is not canonical base64url without padding')
  return decodeV2(bytes)
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

function plainBody(text: string): string {
  refuseForeignText(text)
  if (PREFIX.startsWith(text)) throw truncated('only its beginning is there')
  return text
}

function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(CHECKSUM_DIGITS, '0')
}

function truncated(why: string): MacaroondError {
  return new MacaroondError('token_truncated', `the token is cut off: ${why}`, { hint: 'copy the whole token' })
}

function malformed(why: string): MacaroondError {
  return new MacaroondError('token_malformed', `not a token: ${why}`, {
    hint: 'a token begins with mcn1_ and is one word; a plain one is base64url without padding',
  })
}
