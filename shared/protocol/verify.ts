/** Calls on the `verify` channel, worker or operator to replica. */
import { z } from 'zod'
import type { Mark } from '../freshness/mark.ts'
import { BUNDLE_BYTES_MAX } from '../limits.ts'
import type { Explanation } from '../verifier/trace.ts'
import type { Refused, Verdict } from '../verifier/verdict.ts'

export interface VerifyParams {
  /** Text form of a token, or of a bundle. What is too long is refused as such, so the schema allows more than there may be. */
  readonly token: string
  /** Checked by the verifier itself, which says what is wrong with it. */
  readonly access: unknown
  /** PeerId of whoever presented the token to the worker, if the worker ended that connection. */
  readonly peer?: string | undefined
  /** Position text: answer from this state or a later one. */
  readonly minPosition?: string | undefined
  /** The last revocation that the worker knows: answer from a state that has it. */
  readonly minimum?: Mark | undefined
}

export const verifyParams: z.ZodType<VerifyParams> = z.strictObject({
  token: z.string().max(BUNDLE_BYTES_MAX * 2),
  access: z.unknown(),
  peer: z.string().max(128).optional(),
  minPosition: z.string().max(64).optional(),
  minimum: z.strictObject({ epoch: z.number().int().nonnegative(), seq: z.number().int().nonnegative() }).optional(),
})

/** Where a verdict comes from: which node, and which state it was judged by. */
export interface Judged {
  readonly node: string
  readonly region: string
  readonly pid: number
  readonly epoch: number
  readonly txid: number
  /** Revocations up to this number were known. */
  readonly revocationSeq: number
  /** How old that state was; only while the node holds a lease, and for callers whose hello names it. */
  readonly ageMs?: number
}

/** In the hello's `understands`: answers may say how old the state was. */
export const KNOWS_AGE = 'ageMs'

export type VerifyResult = Verdict & Judged

/**
 * Answer of `explain`, which takes the parameters of `verify`. It tells what the token says: whoever asks has it in hand.
 * `unavailable` says why this node answers for no token now; the rest is what its tables would say, except that no verdict
 * accepts then.
 */
export type ExplainResult = Explanation & {
  readonly judged: Judged
  readonly unavailable?: Refused
}
