/** Sizes that every format shares, and what a reader takes from outside. */
import {
  CAVEAT_BYTES_MAX,
  CAVEATS_MAX,
  IDENTIFIER_BYTES_MAX,
  LOCATION_BYTES_MAX,
  OFFLINE_CAVEATS_MAX,
  OFFLINE_FIELD_BYTES_MAX,
  OFFLINE_MACAROON_BYTES_MAX,
  TOKEN_BYTES_MAX,
} from '../limits.ts'

/** Nonce 24, Poly1305 tag 16, boxed caveat key 32. */
export const VID_BYTES = 72

/** In bytes and counts. `bytes` is that of the encoding, before any base64 around it. */
export interface MacaroonLimits {
  readonly bytes: number
  readonly caveats: number
  readonly caveatBytes: number
  readonly locationBytes: number
  readonly identifierBytes: number
}

/** For tokens that are presented. */
export const TOKEN_LIMITS: MacaroonLimits = {
  bytes: TOKEN_BYTES_MAX,
  caveats: CAVEATS_MAX,
  caveatBytes: CAVEAT_BYTES_MAX,
  locationBytes: LOCATION_BYTES_MAX,
  identifierBytes: IDENTIFIER_BYTES_MAX,
}

/** For the toolbox, whose macaroons may be anybody's. */
export const OFFLINE_LIMITS: MacaroonLimits = {
  bytes: OFFLINE_MACAROON_BYTES_MAX,
  caveats: OFFLINE_CAVEATS_MAX,
  caveatBytes: OFFLINE_FIELD_BYTES_MAX,
  locationBytes: OFFLINE_FIELD_BYTES_MAX,
  identifierBytes: OFFLINE_FIELD_BYTES_MAX,
}

/** Characters of base64url that can hold so many bytes, and a little for a prefix and a checksum around them. */
export function textCharsMax(limits: MacaroonLimits): number {
  return Math.ceil((limits.bytes * 4) / 3) + 16
}
