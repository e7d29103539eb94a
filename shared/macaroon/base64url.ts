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

/**
 * Either alphabet (not both in one text), padded in full or not at all: what writers of V2J produce. Unused bits are
 * zero here too.
 */
export function decodeBase64Any(text: string): Uint8Array | undefined {
  const padding = /={0,2}$/.exec(text)?.[0].length ?? 0
  if (padding > 0 && text.length % 4 !== 0) return undefined
  const bare = text.slice(0, text.length - padding)
  if (/[+/]/.test(bare) && /[-_]/.test(bare)) return undefined
  return decodeBase64Url(bare.replaceAll('+', '-').replaceAll('/', '_'))
}

/** What keeps `text` from being canonical base64url, for the message of the error. */
export function base64UrlFault(text: string): string {
  if (/\s/.test(text)) return 'it has white space in it'
  if (/^[\w-]+={1,2}$/.test(text)) return 'it is padded with ='
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return 'it is in the standard alphabet of base64, not the one for URLs'
  if (/[^\w-]/.test(text)) return 'it has characters that base64url does not have'
  return text.length % 4 === 1 ? 'it is cut off or has a character too many' : 'its unused bits are not zero'
}
