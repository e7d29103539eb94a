/** The verdict on a token: a value, never an exception. */
import type { TokenId } from '../ids.ts'

const UNREADABLE = [
  'token_malformed',
  'token_missing',
  'token_base64',
  'token_duplicate',
  'token_field',
  'token_json',
  'token_length',
  'token_location',
  'token_signature',
  'token_trailing',
  'token_utf8',
  'token_vid',
  'token_truncated',
  'token_damaged',
  'token_too_large',
  'token_unsupported',
  'bundle_malformed',
] as const

/** What reading a bundle can fail with: the codes of its errors (shared/macaroon/FORMAT.md). */
export type UnreadableReason = (typeof UNREADABLE)[number]

export type RefusalReason =
  | UnreadableReason
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
  /** No discharge for a third-party caveat, or none that was not needed for another one. */
  | 'discharge_missing'
  /** There is one, but it was changed, made with another key, or not bound to this very token. */
  | 'discharge_invalid'
  /** The third-party caveat itself holds no key of a discharge: nothing can ever clear it. */
  | 'verifier_id_invalid'
  /** Discharges nest too deep, or refer to one another so that finding a way would take too much work. */
  | 'work_exceeded'
  /** Nothing is said of the token: the node cannot judge it now. Retry, here or elsewhere; never drop the token. */
  | 'unavailable'

/** What revocations make of a genuine token. */
export type Fallen = Extract<RefusalReason, 'key_retired' | 'org_disabled' | 'revoked'>

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
  /**
   * Tokens of which the discharges say that they were presented to the third party, in the order of the caveats. As much
   * worth as those third parties: whoever holds a token can add a caveat of one that says anything, behind the others.
   * Absent where no discharge says so.
   */
  readonly presented?: readonly TokenId[]
}

/** Names a third-party caveat to its holder. */
export interface ThirdParty {
  /** Where its discharge is had; '' when the caveat does not say. A hint that no signature covers. */
  readonly location: string
  /** SHA-256 of the ticket, first 16 bytes in hex. */
  readonly ticket: string
}

export interface RefusalDetails {
  /** The caveat that refused: its text, or `0x…` when it is not text. Only ever of an authenticated token. */
  readonly caveat?: string
  /** What that caveat wanted. */
  readonly wanted?: string
  /** The third-party caveat that is not discharged, or in whose discharge the caveat stands that refused. */
  readonly thirdParty?: ThirdParty
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

export function isRefused(value: object): value is Refused {
  return 'reason' in value
}

const unreadableReasons: ReadonlySet<string> = new Set(UNREADABLE)

export function isUnreadableReason(code: string): code is UnreadableReason {
  return unreadableReasons.has(code)
}
