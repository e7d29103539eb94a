/** What an explanation tells, step by step. Plain values, for people and for `--json`. */
import type { TokenId } from '../ids.ts'
import type { Context } from './access.ts'
import type { Refused, ThirdParty, Verdict } from './verdict.ts'
import type { WorkDone } from './work.ts'

/** In the order in which they are done. */
export type CheckName =
  | 'clock'
  | 'encoding'
  | 'key'
  | 'signature'
  /** Retirement, disabling and revocation, of the token and of those it was made from. */
  | 'standing'
  | 'expiry'
  | 'access'
  | 'org'
  /** The chains of all discharges that are asked for, within the limits on work. */
  | 'discharges'
  | 'caveats'

export interface CheckTrace {
  readonly check: CheckName
  readonly held: boolean
  readonly refusal?: Refused
}

export interface CaveatTrace {
  /** Its text, `0x…` when it is not text. */
  readonly caveat: string
  readonly outcome: 'cleared' | 'refused' | 'unavailable'
  /** What it wants, where it says more than its text. */
  readonly wanted?: string
  readonly refusal?: Refused
  readonly thirdParty?: ThirdParty
  /** With `thirdParty`: every discharge of the bundle that bears its ticket and was looked at, in their order. */
  readonly discharges?: readonly DischargeTrace[]
}

export interface DischargeTrace {
  /** Place in the bundle, from 1. */
  readonly index: number
  /** `used_before`: it serves another caveat; each discharge counts once. */
  readonly outcome: 'used' | 'refused' | 'not_authentic' | 'used_before'
  /** Of an authentic discharge that was tried. */
  readonly caveats?: readonly CaveatTrace[]
}

/** What the token says of itself, once its chain was recomputed. */
export interface TokenTrace {
  readonly id: TokenId
  readonly org: string
  readonly subject: string
  /** Unix milliseconds. */
  readonly issuedAtMs: number
  /** Unix seconds. */
  readonly expiresAt?: number
  /** Tokens that it was made from. */
  readonly ancestors: readonly TokenId[]
  readonly caveatCount: number
  /** Discharges that came with it. */
  readonly dischargeCount: number
}

export interface Explanation {
  readonly verdict: Verdict
  /** All that were made: after one that failed too, where they can be made without it. */
  readonly checks: readonly CheckTrace[]
  /** Absent when the signature did not match: nothing that a forged token says is told. */
  readonly token?: TokenTrace
  /** Every caveat of the token, in their order; empty where the walk ended before. */
  readonly caveats: readonly CaveatTrace[]
  /** What the node judged by: its clock, region, the presenter, and how old its state was. */
  readonly judgedBy: Context
  readonly work: WorkDone
  /** Caveats, discharges and notes that are not told because the answer would be too long; absent where all are. */
  readonly omitted?: number
}
