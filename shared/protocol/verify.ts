/** Calls on the `verify` channel, worker or operator to replica. */
import { z } from 'zod'
import type { Mark } from '../freshness/mark.ts'
import { BUNDLE_BYTES_MAX } from '../limits.ts'
import type { Explanation } from '../verifier/trace.ts'
import type { Refused, Verdict } from '../verifier/verdict.ts'

export interface VerifyParams {
  /**
   * Text form of a token or a bundle. The schema allows too long ones, because the verifier refuses them with a better reason.
   */
  readonly token: string
  /** Checked by the verifier, which says what is wrong with it. */
  readonly access: unknown
  /** PeerId of the peer that presented the token, if the worker terminated that connection. */
  readonly peer?: string | undefined
  /** Text of the lowest position that may answer. */
  readonly minPosition?: string | undefined
  /** The last revocation that the worker knows; the answering state must have it. */
  readonly minimum?: Mark | undefined
}

export const verifyParams: z.ZodType<VerifyParams> = z.strictObject({
  token: z.string().max(BUNDLE_BYTES_MAX * 2),
  access: z.unknown(),
  peer: z.string().max(128).optional(),
  minPosition: z.string().max(64).optional(),
  minimum: z.strictObject({ epoch: z.number().int().nonnegative(), seq: z.number().int().nonnegative() }).optional(),
})

/** The origin of a verdict: the node, and the state that it judged by. */
export interface Judged {
  readonly node: string
  readonly region: string
  readonly pid: number
  readonly epoch: number
  readonly txid: number
  /** Revocations up to this number were known. */
  readonly revocationSeq: number
  /** Age of that state in milliseconds; only while the node holds a lease, for callers whose hello has `KNOWS_AGE`. */
  readonly ageMs?: number
}

/** A word for `understands` in the hello: answers may have `ageMs`. */
export const KNOWS_AGE = 'ageMs'

export type VerifyResult = Verdict & Judged

/**
 * The answer of `explain`, which takes the parameters of `verify`. It shows the content of the token, which the caller has
 * anyway. `unavailable` is the reason why this node judges no token now. The rest is then computed from its tables all the
 * same, except that no verdict accepts.
 */
export type ExplainResult = Explanation & {
  readonly judged: Judged
  readonly unavailable?: Refused
}
