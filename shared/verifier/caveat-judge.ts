/** The interface between clearing and the language of caveats. `facts-judge.ts` and `with-key.ts` implement it. */
import type { Refused } from './verdict.ts'
import type { WorkBudget } from './work.ts'

/** Judges one first-party caveat for one access. It is called only with caveats of verified macaroons. It counts its work. */
export interface CaveatJudge {
  readonly judge: (caveat: Uint8Array, work: WorkBudget) => CaveatVerdict
  /** For explanations: the caveat as text, and its condition. */
  readonly describe: (caveat: Uint8Array) => { readonly caveat: string; readonly wanted?: string }
}

export type CaveatVerdict = Allowed | Refused

export interface Allowed {
  readonly ok: true
  /** The text of a `note` caveat. */
  readonly note?: string
  /** The token of a `presented` caveat. It has a meaning only in a discharge. */
  readonly presented?: string
}
