/** Numbers of the V2 binary format (libmacaroons, doc/format.txt); FORMAT.md has the table. */
import { CAVEAT_BYTES_MAX, CAVEATS_MAX, IDENTIFIER_BYTES_MAX, LOCATION_BYTES_MAX, TOKEN_BYTES_MAX } from '../limits.ts'

export const V2_VERSION = 2

export const FIELD_END = 0
export const FIELD_LOCATION = 1
export const FIELD_IDENTIFIER = 2
export const FIELD_VID = 4
export const FIELD_SIGNATURE = 6

/** Nonce 24, Poly1305 tag 16, boxed caveat key 32. */
export const VID_BYTES = 72

/** What a reader takes from outside, in bytes and counts. */
export interface MacaroonLimits {
  readonly bytes: number
  readonly caveats: number
  readonly caveatBytes: number
  readonly locationBytes: number
  readonly identifierBytes: number
}

export const TOKEN_LIMITS: MacaroonLimits = {
  bytes: TOKEN_BYTES_MAX,
  caveats: CAVEATS_MAX,
  caveatBytes: CAVEAT_BYTES_MAX,
  locationBytes: LOCATION_BYTES_MAX,
  identifierBytes: IDENTIFIER_BYTES_MAX,
}
