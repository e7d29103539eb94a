/** Arrays of bytes without Node's Buffer, for the modules that also run in a browser. */

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** The codes of characters below 128. The caller knows that there are no others. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i)
  return bytes
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lowercase hex digits of the bytes from `start` to `end`, which is not included. */
export function hexOf(bytes: Uint8Array, start: number = 0, end: number = bytes.length): string {
  let text = ''
  for (let i = start; i < end; i += 1) text += HEX[bytes[i] ?? 0]
  return text
}

/** The bytes of lowercase hex digits. The caller has checked that there are no other characters. */
export function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i += 1) {
    bytes[i] = digitOfHex(hex.charCodeAt(2 * i)) * 16 + digitOfHex(hex.charCodeAt(2 * i + 1))
  }
  return bytes
}

/** The last four bits of `0` to `9` are their values, those of `a` to `f` are 1 to 6. Only letters have bit 6 set. */
function digitOfHex(code: number): number {
  return (code & 0xf) + 9 * (code >> 6)
}
