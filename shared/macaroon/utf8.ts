/** Strict UTF-8 in both directions: one text has one encoding, and bytes that are not UTF-8 are never replaced by U+FFFD. */

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

/** The bytes, or undefined for a text with a lone surrogate, which Node would replace with U+FFFD. */
export function encodeUtf8(text: string): Uint8Array | undefined {
  return text.isWellFormed() ? new Uint8Array(Buffer.from(text, 'utf8')) : undefined
}
