/** Strict UTF-8 in both directions: one text has one encoding, and bytes that are not UTF-8 are never replaced by U+FFFD. */

import { asciiBytes } from './bytes.ts'

const ASCII_MAX = 0x7f
// A leading byte order mark stays in the text; if it were dropped, two encodings would give one text.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text, or undefined if the bytes are not UTF-8. Overlong forms and surrogates are not UTF-8 (RFC 3629). */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const encoder = new TextEncoder()
/** A call of `TextEncoder` costs more than a loop over this many characters. */
const LOOP_CHARS_MAX = 64

/** The bytes, or undefined for a text with a lone surrogate, which `TextEncoder` would replace with U+FFFD. */
export function encodeUtf8(text: string): Uint8Array | undefined {
  if (text.length <= LOOP_CHARS_MAX && isAscii(text)) return asciiBytes(text)
  return text.isWellFormed() ? encoder.encode(text) : undefined
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > ASCII_MAX) return false
  return true
}
