/** The formats of the libmacaroons family: told apart by their first byte, read and written through one door. */
import { malformed } from './format-errors.ts'
import { type MacaroonLimits, TOKEN_LIMITS } from './format-limits.ts'
import type { Macaroon } from './macaroon.ts'
import { decodeV1 } from './v1-reader.ts'
import { encodeV1 } from './v1-writer.ts'
import { V2_VERSION } from './v2-format.ts'
import { decodeV2 } from './v2-reader.ts'
import { encodeV2 } from './v2-writer.ts'
import { decodeV2J } from './v2j-reader.ts'
import { encodeV2J } from './v2j-writer.ts'

export const MACAROON_FORMATS = ['v1', 'v2', 'v2j'] as const
export type MacaroonFormat = (typeof MACAROON_FORMATS)[number]

const READERS: Readonly<Record<MacaroonFormat, (bytes: Uint8Array, limits: MacaroonLimits) => Macaroon>> = {
  v1: decodeV1,
  v2: decodeV2,
  v2j: decodeV2J,
}

/**
 * By the first byte, which no two formats share: V2 begins with its version, V1 with the hex digits of a length, V2J
 * with a brace or JSON's white space before it. Whether the rest keeps the promise, the reader of that format says.
 */
export function sniffFormat(bytes: Uint8Array): MacaroonFormat | undefined {
  const first = bytes[0] ?? 0
  if (first === V2_VERSION) return 'v2'
  if (isHexDigit(first)) return 'v1'
  return isJsonStart(bytes) ? 'v2j' : undefined
}

/** An encoding without base64 around it. Throws one of the codes of the readers. */
export function decodeMacaroon(bytes: Uint8Array, limits: MacaroonLimits = TOKEN_LIMITS): Macaroon {
  const format = sniffFormat(bytes)
  if (format !== undefined) return READERS[format](bytes, limits)
  throw malformed('token_malformed', bytes.length === 0 ? 'there is nothing to read' : 'it does not begin like one')
}

/** Canonical, without base64 around it. V2J is text, in UTF-8 here. */
export function encodeMacaroon(macaroon: Macaroon, format: MacaroonFormat): Uint8Array {
  switch (format) {
    case 'v1':
      return encodeV1(macaroon)
    case 'v2':
      return encodeV2(macaroon)
    case 'v2j':
      return new Uint8Array(Buffer.from(encodeV2J(macaroon), 'utf8'))
  }
}

/** Capitals too: they make a V1 macaroon that is spelled wrongly, and its reader says so. */
function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66)
}

function isJsonStart(bytes: Uint8Array): boolean {
  for (const byte of bytes) {
    if (byte === 0x7b) return true
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false
  }
  return false
}
