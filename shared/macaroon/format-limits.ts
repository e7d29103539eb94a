/** Sizes that all formats share, and the limits of their readers. */
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

/** A verifier id: nonce (24), Poly1305 tag (16), encrypted caveat key (32). */
export const VID_BYTES = 72

/** Limits in bytes and counts. `bytes` is the size of the encoding itself, before base64. */
export interface MacaroonLimits {
  readonly bytes: number
  readonly caveats: number
  readonly caveatBytes: number
  readonly locationBytes: number
  readonly identifierBytes: number
}

/** Limits of a node, for presented tokens. */
export const TOKEN_LIMITS: MacaroonLimits = {
  bytes: TOKEN_BYTES_MAX,
  caveats: CAVEATS_MAX,
  caveatBytes: CAVEAT_BYTES_MAX,
  locationBytes: LOCATION_BYTES_MAX,
  identifierBytes: IDENTIFIER_BYTES_MAX,
}

/** Limits of the offline toolbox, which also reads macaroons of other libraries. */
export const OFFLINE_LIMITS: MacaroonLimits = {
  bytes: OFFLINE_MACAROON_BYTES_MAX,
  caveats: OFFLINE_CAVEATS_MAX,
  caveatBytes: OFFLINE_FIELD_BYTES_MAX,
  locationBytes: OFFLINE_FIELD_BYTES_MAX,
  identifierBytes: OFFLINE_FIELD_BYTES_MAX,
}

/** Characters of base64url for this many bytes, plus 16 for a prefix and a checksum. */
export function textCharsMax(limits: MacaroonLimits): number {
  return Math.ceil((limits.bytes * 4) / 3) + 16
}
