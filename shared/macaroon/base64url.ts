/**
 * Base64url without padding (RFC 4648, 5), strictly. Node's decoder skips what it does not know, takes both alphabets
 * and ignores padding and the unused bits at the end, so that many texts would name one token.
 */

export function encodeBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
}

/** The bytes, or undefined unless `text` is exactly what encoding them gives. */
export function decodeBase64Url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url')
  // Encoding once more settles alphabet, padding and unused bits in one comparison, whatever the decoder let pass.
  if (bytes.toString('base64url') !== text) return undefined
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
