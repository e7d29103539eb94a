/** How first-party caveats are judged, whatever their language: by the facts of an access, or by a list of predicates. */
import type { Refused } from './verdict.ts'

/** Says whether one first-party caveat allows the access. It is never asked about a caveat that is not authentic. */
export interface CaveatJudge {
  readonly judge: (caveat: Uint8Array) => CaveatVerdict
  /** For explanations: the caveat as text, and what it wants. */
  readonly describe: (caveat: Uint8Array) => { readonly caveat: string; readonly wanted?: string }
}

export type CaveatVerdict = Allowed | Refused

export interface Allowed {
  readonly ok: true
  /** A holder's remark. */
  readonly note?: string
  /** A token that was presented to the third party, if this is a discharge. */
  readonly presented?: string
}
