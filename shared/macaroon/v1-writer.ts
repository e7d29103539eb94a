/** Writes the V1 binary format in its canonical form, byte for byte as libmacaroons does. */
import { assert } from '../errors.ts'
import { asciiBytes, joinBytes } from './bytes.ts'
import { tooLarge } from './format-errors.ts'
import type { Macaroon } from './macaroon.ts'
import { encodeUtf8 } from './utf8.ts'
import { LENGTH_DIGITS, NEWLINE, PACKET_BYTES_MAX, SPACE, type V1Key } from './v1-packet.ts'

/** The packets as bytes, not in base64url. Throws token_too_large if a packet would exceed 65,535 bytes. */
export function encodeV1(macaroon: Macaroon): Uint8Array {
  const parts: Uint8Array[] = []
  pushPacket(parts, 'location', textBytes(macaroon.location))
  pushPacket(parts, 'identifier', macaroon.identifier)
  for (const { cid, vid, location = '' } of macaroon.caveats) {
    assert(vid !== undefined || location === '', 'a first-party caveat has no location')
    pushPacket(parts, 'cid', cid)
    if (vid !== undefined) pushPacket(parts, 'vid', vid)
    if (location !== '') pushPacket(parts, 'cl', textBytes(location))
  }
  pushPacket(parts, 'signature', macaroon.signature)
  return joinBytes(parts)
}

function pushPacket(parts: Uint8Array[], key: V1Key, value: Uint8Array): void {
  const length = LENGTH_DIGITS + key.length + 1 + value.length + 1
  if (length > PACKET_BYTES_MAX) throw tooLarge(`the V1 packet ${key} has ${length} bytes`, PACKET_BYTES_MAX)
  const digits = length.toString(16).padStart(LENGTH_DIGITS, '0')
  parts.push(asciiBytes(digits + key), Uint8Array.of(SPACE), value, Uint8Array.of(NEWLINE))
}

function textBytes(text: string): Uint8Array {
  const bytes = encodeUtf8(text)
  assert(bytes !== undefined, 'a location is well-formed text')
  return bytes
}
