/** The types of an explanation, which shows a verification step by step. Plain values, for people and for `--json`. */
import type { TokenId } from '../ids.ts'
import type { Context } from './access.ts'
import type { Refused, ThirdParty, Verdict } from './verdict.ts'
import type { WorkDone } from './work.ts'

/** The checks of a verification, in their order. */
export type CheckName =
  | 'clock'
  | 'encoding'
  | 'key'
  | 'signature'
  /** Revocation, retired key and disabled org, of the token and of its ancestors. */
  | 'standing'
  | 'expiry'
  | 'access'
  | 'org'
  /** The HMAC chains of all discharges that are needed, within the limits on work. */
  | 'discharges'
  | 'caveats'

export interface CheckTrace {
  readonly check: CheckName
  readonly held: boolean
  readonly refusal?: Refused
}

export interface CaveatTrace {
  /** The caveat as text, or `0x…` if it is not UTF-8. */
  readonly caveat: string
  readonly outcome: 'cleared' | 'refused' | 'unavailable'
  /** Its condition, if it is a predicate with one. */
  readonly wanted?: string
  readonly refusal?: Refused
  readonly thirdParty?: ThirdParty
  /** With `thirdParty`: the discharges of the bundle that bear its ticket and were tried, in order. */
  readonly discharges?: readonly DischargeTrace[]
}

export interface DischargeTrace {
  /** Position in the bundle, from 1. */
  readonly index: number
  /** `used_before`: it already serves another caveat, and a discharge serves only one. */
  readonly outcome: 'used' | 'refused' | 'not_authentic' | 'used_before'
  /** Caveats of an authentic discharge that was tried. */
  readonly caveats?: readonly CaveatTrace[]
}

/** The content of the token's identifier. It is shown only after the signature matched. */
export interface TokenTrace {
  readonly id: TokenId
  readonly org: string
  readonly subject: string
  /** Unix milliseconds. */
  readonly issuedAtMs: number
  /** Unix seconds. */
  readonly expiresAt?: number
  /** The tokens that it was exchanged from. */
  readonly ancestors: readonly TokenId[]
  readonly caveatCount: number
  /** Number of discharges in its bundle. */
  readonly dischargeCount: number
}

export interface Explanation {
  readonly verdict: Verdict
  /** The checks that were made. A check that does not depend on a failed one is still made. */
  readonly checks: readonly CheckTrace[]
  /** Absent if the signature did not match, so that the content of a forged token is never shown. */
  readonly token?: TokenTrace
  /** Every caveat of the token, in order. Empty if the verification ended before. */
  readonly caveats: readonly CaveatTrace[]
  /** Facts that the node stated: its clock, its region, the presenter, and the age of its state. */
  readonly judgedBy: Context
  readonly work: WorkDone
  /** Number of caveats, discharges and notes left out because the answer would be too long. Absent if none. */
  readonly omitted?: number
}
