/** Reads and writes the three formats of the libmacaroons family. The first byte of an encoding decides its format. */
import { assert } from '../errors.ts'
import { malformed } from './format-errors.ts'
import { type MacaroonLimits, TOKEN_LIMITS } from './format-limits.ts'
import type { Macaroon } from './macaroon.ts'
import { encodeUtf8 } from './utf8.ts'
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
 * Chooses the format by the first byte: V2 begins with its version, V1 with a hex digit of a length, V2J with a brace after
 * optional white space. The rest of the encoding is not checked here; the reader of the format does that.
 */
export function sniffFormat(bytes: Uint8Array): MacaroonFormat | undefined {
  const first = bytes[0] ?? 0
  if (first === V2_VERSION) return 'v2'
  if (isHexDigit(first)) return 'v1'
  return isJsonStart(bytes) ? 'v2j' : undefined
}

/** Decodes bytes that are not in base64. Throws token_malformed for an unknown format, and the errors of its reader. */
export function decodeMacaroon(bytes: Uint8Array, limits: MacaroonLimits = TOKEN_LIMITS): Macaroon {
  const format = sniffFormat(bytes)
  if (format !== undefined) return READERS[format](bytes, limits)
  throw malformed('token_malformed', bytes.length === 0 ? 'there is nothing to read' : 'it does not begin like one')
}

/** The canonical encoding as bytes, not in base64. V2J is text, and is returned in UTF-8. */
export function encodeMacaroon(macaroon: Macaroon, format: MacaroonFormat): Uint8Array {
  switch (format) {
    case 'v1':
      return encodeV1(macaroon)
    case 'v2':
      return encodeV2(macaroon)
    case 'v2j':
      return jsonBytes(encodeV2J(macaroon))
  }
}

function jsonBytes(json: string): Uint8Array {
  const bytes = encodeUtf8(json)
  assert(bytes !== undefined, 'every text in V2J was decoded from UTF-8')
  return bytes
}

/** Accepts capitals as well: the V1 reader refuses them with a precise error. */
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
