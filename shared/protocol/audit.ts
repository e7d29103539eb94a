/**
 * The `audit.verify` call on the `admin` channel of primary and replica: checks a part of the node's own audit chain. The
 * caller asks again from `head` until `done`, so a long chain costs many short calls.
 */
import { z } from 'zod'

/** Names a record by its number and its hash in hex. */
export interface AuditPlace {
  readonly seq: number
  readonly hash: string
}

const place: z.ZodType<AuditPlace> = z.strictObject({
  seq: z.number().int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
})

/** `after` is the last checked record; number 0 and zeros for none. */
export const auditVerifyParams: z.ZodType<{ readonly after: AuditPlace }> = z.strictObject({ after: place })

export interface AuditVerifyResult {
  /** The last checked record. */
  readonly head: AuditPlace
  readonly done: boolean
  /** The fault in words; null if the chain is intact so far. */
  readonly problem: string | null
}

export const auditVerifyResult: z.ZodType<AuditVerifyResult> = z.object({
  head: place,
  done: z.boolean(),
  problem: z.string().max(1_000).nullable(),
})

export const AUDIT_VERIFY_START: AuditPlace = { seq: 0, hash: '0'.repeat(64) }
