/** The verdict on a token: a value, never an exception. */
import type { TokenId } from '../ids.ts'

export type RefusalReason =
  | 'token_truncated'
  | 'token_damaged'
  | 'token_malformed'
  | 'token_too_large'
  | 'token_unsupported'
  | 'third_party_unsupported'
  | 'key_unknown'
  | 'key_retired'
  | 'org_disabled'
  | 'signature_wrong'
  | 'revoked'
  | 'expired'
  | 'org_missing'
  | 'org_mismatch'
  | 'access_malformed'
  | 'caveat_unknown'
  | 'caveat_refused'
  /** Nothing is said of the token: the node cannot judge it now. Retry, here or elsewhere; never drop the token. */
  | 'unavailable'

export interface Accepted {
  readonly ok: true
  readonly id: TokenId
  readonly org: string
  readonly subject: string
  /** Unix seconds; absent when the token was issued without an expiry. `time` caveats may end it sooner. */
  readonly expiresAt?: number
  /** Texts of the `note` caveats in their order: remarks of holders, not the authority's word. */
  readonly notes: readonly string[]
  readonly caveatCount: number
}

export interface RefusalDetails {
  /** The caveat that refused: its text, or `0x…` when it is not text. Only ever of an authenticated token. */
  readonly caveat?: string
  /** What that caveat wanted. */
  readonly wanted?: string
  /** With `key_unknown`: unix milliseconds in the token's nonce, unauthenticated. Newer than the node's state means unavailable. */
  readonly issuedAtMs?: number
  /** With `unavailable`: a state at most this old would decide; everything else about the token holds. */
  readonly stalenessWantedMs?: number
}

export interface Refused extends RefusalDetails {
  readonly ok: false
  readonly reason: RefusalReason
  /** One sentence for people. Holds nothing of the token. */
  readonly message: string
}

export type Verdict = Accepted | Refused

export function refused(reason: RefusalReason, message: string, details: RefusalDetails = {}): Refused {
  return { ok: false, reason, message, ...details }
}
