/**
 * Strict base64url without padding (RFC 4648, section 5) on a node, with Node's Buffer. Buffer's decoder skips unknown
 * characters, accepts both alphabets, and ignores padding and unused bits, so many texts would give one token.
 */

export function encodeBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
}

/** The bytes, or undefined if `text` is not their canonical encoding. */
export function decodeBase64Url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url')
  // Comparing with the encoding of the bytes checks alphabet, padding and unused bits at once.
  if (bytes.toString('base64url') !== text) return undefined
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
