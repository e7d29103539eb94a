/** Writes the V2 binary format in its canonical form: empty optional fields are left out, lengths are as short as possible. */
import { assert } from '../errors.ts'
import { joinBytes } from './bytes.ts'
import { VID_BYTES } from './format-limits.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { encodeUtf8 } from './utf8.ts'
import { FIELD_END, FIELD_IDENTIFIER, FIELD_LOCATION, FIELD_SIGNATURE, FIELD_VID, V2_VERSION } from './v2-format.ts'

export function encodeV2(macaroon: Macaroon): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(V2_VERSION)]
  pushLocation(parts, macaroon.location)
  pushField(parts, FIELD_IDENTIFIER, macaroon.identifier)
  parts.push(Uint8Array.of(FIELD_END))
  for (const caveat of macaroon.caveats) pushCaveat(parts, caveat)
  parts.push(Uint8Array.of(FIELD_END))
  pushField(parts, FIELD_SIGNATURE, macaroon.signature)
  return joinBytes(parts)
}

function pushCaveat(parts: Uint8Array[], { cid, vid, location }: Caveat): void {
  assert(vid !== undefined || location === undefined, 'a first-party caveat has no location')
  assert(vid === undefined || vid.length === VID_BYTES, 'a verifier id has 72 bytes')
  pushLocation(parts, location ?? '')
  pushField(parts, FIELD_IDENTIFIER, cid)
  if (vid !== undefined) pushField(parts, FIELD_VID, vid)
  parts.push(Uint8Array.of(FIELD_END))
}

function pushLocation(parts: Uint8Array[], location: string): void {
  const bytes = encodeUtf8(location)
  assert(bytes !== undefined, 'a location is well-formed text')
  if (bytes.length > 0) pushField(parts, FIELD_LOCATION, bytes)
}

function pushField(parts: Uint8Array[], type: number, value: Uint8Array): void {
  parts.push(Uint8Array.of(type, ...varint(value.length)), value)
}

/** Unsigned LEB128 in as few bytes as the number needs. */
function varint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 0x80)) {
    if (rest < 0x80) return [...bytes, rest]
    bytes.push((rest % 0x80) | 0x80)
  }
}
