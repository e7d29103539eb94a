/**
 * Strict base64url without padding (RFC 4648, section 5): every byte sequence has exactly one text. Node's decoder skips
 * unknown characters, accepts both alphabets, and ignores padding and unused bits, so many texts would give one token.
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

/**
 * Decodes base64 as writers of V2J produce it: either alphabet, but not both in one text, and full padding or none. Unused
 * bits must be zero. Undefined for any other text.
 */
export function decodeBase64Any(text: string): Uint8Array | undefined {
  const padding = /={0,2}$/.exec(text)?.[0].length ?? 0
  if (padding > 0 && text.length % 4 !== 0) return undefined
  const bare = text.slice(0, text.length - padding)
  if (/[+/]/.test(bare) && /[-_]/.test(bare)) return undefined
  return decodeBase64Url(bare.replaceAll('+', '-').replaceAll('/', '_'))
}

/** The reason why `text` is not canonical base64url, for an error message. */
export function base64UrlFault(text: string): string {
  if (/\s/.test(text)) return 'it has white space in it'
  if (/^[\w-]+={1,2}$/.test(text)) return 'it is padded with ='
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return 'it uses the standard alphabet of base64, not the one for URLs'
  if (/[^\w-]/.test(text)) return 'it has characters that are not base64url'
  return text.length % 4 === 1 ? 'it is cut off, or has one character too many' : 'its unused bits are not zero'
}
