/** UTF-8, strictly both ways: one text has one encoding, and what is not text is told apart from it. */

// A leading byte order mark stays in the text, or else two encodings would give one text.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text, or undefined for overlong forms, surrogates, and everything else that is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** The bytes, or undefined for a text with a lone surrogate: Node would write U+FFFD in its place. */
export function encodeUtf8(text: string): Uint8Array | undefined {
  return text.isWellFormed() ? new Uint8Array(Buffer.from(text, 'utf8')) : undefined
}
