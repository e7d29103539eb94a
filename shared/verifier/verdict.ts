/** The verdict on a token: accepted, or refused with a reason. It is a value, never an exception. */
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

/** The codes with which reading a bundle can fail (shared/macaroon/FORMAT.md, "Errors of reading"). */
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
  /** A third-party caveat has no discharge, or its discharges all serve other caveats. */
  | 'discharge_missing'
  /** A third-party caveat has a discharge, but it was changed, made with another key, or not bound to this token. */
  | 'discharge_invalid'
  /** The verifier id of a third-party caveat does not open, so nothing can ever discharge it. */
  | 'verifier_id_invalid'
  /**
   * Judging would take too much work: discharges nest too deep, or refer to one another in too many ways, or the access has too
   * many values for the caveats of the token. It says nothing about the token.
   */
  | 'work_exceeded'
  /** The node cannot judge the token now. Retry, here or at another node, and do not drop the token. */
  | 'unavailable'

/** The reasons for which a genuine token is refused by the tables. */
export type TableRefusal = Extract<RefusalReason, 'key_retired' | 'org_disabled' | 'revoked'>

export interface Accepted {
  readonly ok: true
  readonly id: TokenId
  readonly org: string
  readonly subject: string
  /** Unix seconds; absent if the token was issued without an expiry. A `time` caveat may be earlier. */
  readonly expiresAt?: number
  /** Texts of the `note` caveats, in order. Holders write them; the authority does not vouch for them. */
  readonly notes: readonly string[]
  readonly caveatCount: number
  /**
   * Token ids that, according to the discharges, were presented to the third parties; in the order of the caveats. Trust them
   * as far as you trust those third parties: a holder can append a caveat of a third party of its own, whose discharge may
   * name any id. Absent if no discharge names one.
   */
  readonly presented?: readonly TokenId[]
}

/** Identifies a third-party caveat to the holder of the token. */
export interface ThirdParty {
  /** Address of the third party; '' if the caveat has none. A hint that no signature covers. */
  readonly location: string
  /** SHA-256 of the ticket, first 16 bytes in hex. */
  readonly ticket: string
}

export interface RefusalDetails {
  /** The caveat that refused, as text or `0x…`. Present only if the token is authentic. */
  readonly caveat?: string
  /** The condition of that caveat. */
  readonly wanted?: string
  /** The third-party caveat that is not discharged, or whose discharge contains the caveat that refused. */
  readonly thirdParty?: ThirdParty
  /** With `key_unknown`: unix milliseconds in the nonce, not authenticated. If newer than the node's state: unavailable. */
  readonly issuedAtMs?: number
  /** With `unavailable`: the token would be accepted on a state that is at most this old, in milliseconds. */
  readonly stalenessWantedMs?: number
}

export interface Refused extends RefusalDetails {
  readonly ok: false
  readonly reason: RefusalReason
  /** One sentence for people. It contains no part of the token. */
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
