/** Checks of the parts of a macaroon that are the same in every format. Each throws the code of the rule that is broken. */
import { KEY_BYTES } from '../hmac.ts'
import { malformed } from './format-errors.ts'
import { VID_BYTES } from './format-limits.ts'
import type { Caveat } from './macaroon.ts'
import { decodeUtf8 } from './utf8.ts'

/** A part that the encoding lacks is undefined. A part that is present and empty is not absent. */
export function caveatOf(cid: Uint8Array, vid: Uint8Array | undefined, location: string | undefined): Caveat {
  if (vid !== undefined) {
    // libmacaroons asserts this length while it verifies, so there a token can crash the process.
    if (vid.length !== VID_BYTES) {
      throw malformed('token_vid', `a verifier id has ${vid.length} bytes instead of ${VID_BYTES}`)
    }
    return location === undefined ? { cid, vid } : { cid, vid, location }
  }
  // No signature covers a location, so on a first-party caveat it could only mislead. go-macaroon refuses it too.
  if (location !== undefined) throw malformed('token_location', 'a first-party caveat has a location')
  return { cid }
}

/** A location that is present in the encoding. It must not be empty, because an empty location is written as no location. */
export function locationOf(bytes: Uint8Array): string {
  if (bytes.length === 0) throw malformed('token_location', 'a location is present but empty')
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
