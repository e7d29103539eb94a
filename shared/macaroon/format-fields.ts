/** Rules on the parts of a macaroon that hold in every format. */
import { KEY_BYTES } from '../crypto.ts'
import { malformed } from './format-errors.ts'
import { VID_BYTES } from './format-limits.ts'
import type { Caveat } from './macaroon.ts'
import { decodeUtf8 } from './utf8.ts'

/** Absent parts are undefined; an empty location or verifier id that was written out is not absent. */
export function caveatOf(cid: Uint8Array, vid: Uint8Array | undefined, location: string | undefined): Caveat {
  if (vid !== undefined) {
    // libmacaroons asserts this length while it verifies, which lets a token end the process.
    if (vid.length !== VID_BYTES) {
      throw malformed('token_vid', `a verifier id has ${vid.length} bytes instead of ${VID_BYTES}`)
    }
    return location === undefined ? { cid, vid } : { cid, vid, location }
  }
  // No signature covers it, so on a first-party caveat it could only mislead (go-macaroon refuses it too).
  if (location !== undefined) throw malformed('token_location', 'a first-party caveat has a location')
  return { cid }
}

/** A location that stands in the encoding; where there is none, it is left out. */
export function locationOf(bytes: Uint8Array): string {
  if (bytes.length === 0) throw malformed('token_location', 'an empty location is written out')
  return locationTextOf(bytes)
}

export function locationTextOf(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw malformed('token_utf8', 'a location is not UTF-8')
  return text
}

export function signatureOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length === KEY_BYTES) return bytes
  throw malformed('token_signature', `the signature has ${bytes.length} bytes instead of ${KEY_BYTES}`)
}
