/** Reads and writes macaroons as text on a node. `text-codec.ts` describes the forms. */
import { crc32 } from 'node:zlib'
import { decodeBase64Url, encodeBase64Url } from './base64url.ts'
import type { MacaroonLimits } from './format-limits.ts'
import type { Macaroon } from './macaroon.ts'
import { TextCodec, type TextFormat, type TextMacaroon } from './text-codec.ts'

export const NODE_TEXT_CODEC: TextCodec = new TextCodec({
  encodeBase64Url,
  decodeBase64Url,
  crc32: (text) => crc32(text),
})

/** The text form of this authority. Throws token_too_large if no verifier would read the token. */
export function encodeTokenText(macaroon: Macaroon, limits?: MacaroonLimits): string {
  return NODE_TEXT_CODEC.encodeToken(macaroon, limits)
}

/** V1 and V2 in base64url without padding, V2J as JSON, `text` as in `encodeTokenText`. Throws token_too_large. */
export function encodeText(macaroon: Macaroon, format: TextFormat, limits?: MacaroonLimits): string {
  return NODE_TEXT_CODEC.encode(macaroon, format, limits)
}

/**
 * Reads one macaroon in any text form. Throws token_truncated, token_damaged, token_too_large, token_unsupported (its message
 * names the format), and the codes of `EncodingFault`. It does not verify the macaroon.
 */
export function decodeTokenText(text: string, limits?: MacaroonLimits): Macaroon {
  return readTokenText(text, limits).macaroon
}

/** Like `decodeTokenText`, and also returns the form of the text. */
export function readTokenText(text: string, limits?: MacaroonLimits): TextMacaroon {
  return NODE_TEXT_CODEC.read(text, limits)
}
