/**
 * Strict base64 (RFC 4648) in plain JavaScript: for browsers, and everywhere for the fields of V2J. Up to 32 bytes it costs no
 * more than Node's Buffer. Every byte sequence has exactly one text.
 */

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NO_DIGIT = 0xff
const VALUES: Uint8Array = valuesOf(DIGITS)

/** Base64url without padding (section 5). */
export function writeBase64Url(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let waiting = 0
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff
    for (waiting += 8; waiting >= 6; waiting -= 6) text += DIGITS.charAt((bits >> (waiting - 6)) & 0x3f)
  }
  return waiting === 0 ? text : text + DIGITS.charAt((bits << (6 - waiting)) & 0x3f)
}

/** The bytes, or undefined if `text` is not their canonical encoding in base64url without padding. */
export function readBase64Url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined
  const bytes = new Uint8Array((text.length * 3) >> 2)
  let [bits, waiting, length] = [0, 0, 0]
  for (let i = 0; i < text.length; i += 1) {
    const value = VALUES[text.charCodeAt(i)] ?? NO_DIGIT
    if (value === NO_DIGIT) return undefined
    bits = ((bits << 6) | value) & 0xffff
    waiting += 6
    if (waiting < 8) continue
    waiting -= 8
    bytes[length] = bits >> waiting
    length += 1
  }
  // Another text with other unused bits would give the same bytes.
  return (bits & ((1 << waiting) - 1)) === 0 ? bytes : undefined
}

/** Value of each digit by its character code, below 128. */
function valuesOf(digits: string): Uint8Array {
  const values = new Uint8Array(128).fill(NO_DIGIT)
  for (let value = 0; value < digits.length; value += 1) values[digits.charCodeAt(value)] = value
  return values
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
  return readBase64Url(bare.replaceAll('+', '-').replaceAll('/', '_'))
}

/** The reason why `text` is not canonical base64url, for an error message. */
export function base64UrlFault(text: string): string {
  if (/\s/.test(text)) return 'it has white space in it'
  if (/^[\w-]+={1,2}$/.test(text)) return 'it is padded with ='
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return 'it uses the standard alphabet of base64, not the one for URLs'
  if (/[^\w-]/.test(text)) return 'it has characters that are not base64url'
  return text.length % 4 === 1 ? 'it is cut off, or has one character too many' : 'its unused bits are not zero'
}
