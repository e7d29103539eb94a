/**
 * Calls on the `admin` channel of primary and replica about the node's own audit. `audit.verify` checks a part of the chain:
 * the caller asks again from `head` until `done`. `audit.list` reads a part: the caller asks again from `through` until
 * `done`. So a long audit costs many short calls.
 */
import { z } from 'zod'
import { orgName } from '../id-schemas.ts'
import { ACTOR_CHARS_MAX, AUDIT_KIND_CHARS_MAX } from '../limits.ts'

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

export interface AuditListParams {
  /** Reads records with a higher number than this: 0 first, then `through` of the last answer. */
  readonly after: number
  /** Limits the list to records of this time or later, unix milliseconds. */
  readonly sinceMs?: number | undefined
  /** A name, a PeerId, or both as the audit has them. */
  readonly actor?: string | undefined
  readonly org?: string | undefined
  /** For example `token.mint`. */
  readonly kind?: string | undefined
}

export const auditListParams: z.ZodType<AuditListParams> = z.strictObject({
  after: z.number().int().nonnegative(),
  sinceMs: z.number().int().nonnegative().optional(),
  actor: z.string().min(1).max(ACTOR_CHARS_MAX).optional(),
  org: orgName.optional(),
  kind: z.string().min(1).max(AUDIT_KIND_CHARS_MAX).optional(),
})

export interface AuditRecord {
  readonly seq: number
  /** Unix milliseconds. */
  readonly atMs: number
  readonly actor: string
  readonly kind: string
  /** Empty for a record that is about no org. */
  readonly org: string
  readonly target: string
  /** JSON of a flat object. */
  readonly detail: string
}

export interface AuditListResult {
  /** Ascending by number. */
  readonly records: readonly AuditRecord[]
  /** The last record that the call read. */
  readonly through: number
  /** True if it was the last record of the audit. */
  readonly done: boolean
}

export const auditListResult: z.ZodType<AuditListResult> = z.object({
  records: z.array(
    z.object({
      seq: z.number().int().positive(),
      atMs: z.number(),
      actor: z.string(),
      kind: z.string(),
      org: z.string(),
      target: z.string(),
      detail: z.string(),
    }),
  ),
  through: z.number().int().nonnegative(),
  done: z.boolean(),
})
