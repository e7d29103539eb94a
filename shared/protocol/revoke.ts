/** Calls on the `sign` channel that revoke, and that list revocations. */
import { z } from 'zod'
import type { DurabilityLevel } from '../database/durability-level.ts'
import { orgName } from '../id-schemas.ts'
import { REASON_CHARS_MAX, REQUEST_ID_CHARS_MAX, TOKEN_TEXT_CHARS_MAX } from '../limits.ts'
import type { CoveredReplica } from './coverage.ts'
import type { RevocationKind } from '../verifier/revocation-row.ts'

/**
 * When the call is answered. `local`: it is on the primary's disk. `durable`: it is also on a replica's disk, if replicas are
 * configured. `global`: as `durable`, and the caller then calls `revocations.coverage` until it binds everywhere.
 */
export type RevokeWait = 'local' | 'durable' | 'global'

export interface RevokeCommon {
  readonly reason: string
  readonly wait: RevokeWait
  /**
   * Makes the call idempotent. Chosen by the caller, at most 64 characters. A repeated id gets the first answer again, unless
   * 10,000 requests came after it. An id with other content throws request_conflict.
   */
  readonly requestId?: string | undefined
}

export const requestId: z.ZodType<string> = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'a request id is printable ASCII without spaces')
  .max(REQUEST_ID_CHARS_MAX)

const common = {
  reason: z.string().max(REASON_CHARS_MAX),
  wait: z.enum(['local', 'durable', 'global']),
  requestId: requestId.optional(),
}
const kid = z.string().regex(/^[0-9a-f]{16}$/, 'the id of a key is 16 lowercase hex digits')
const subject = z.string().min(1).max(255)

export interface RevokeTokenParams extends RevokeCommon {
  /** The token itself, or its id. */
  readonly token?: string | undefined
  readonly id?: string | undefined
}

const token = z.string().max(TOKEN_TEXT_CHARS_MAX)
const id = z.string().max(64)

export const revokeTokenParams: z.ZodType<RevokeTokenParams> = z
  .strictObject({ token: token.optional(), id: id.optional(), ...common })
  .refine((named) => (named.token === undefined) !== (named.id === undefined), 'either a token or an id')

export interface RevokeIssuedParams extends RevokeCommon {
  readonly org: string
  /** Limits the cut-off to this subject. */
  readonly subject?: string | undefined
  /** Revokes tokens issued up to this time, included; default: now. Unix milliseconds, never in the future. */
  readonly untilMs?: number | undefined
}

export const revokeIssuedParams: z.ZodType<RevokeIssuedParams> = z.strictObject({
  org: orgName,
  subject: subject.optional(),
  untilMs: z.number().int().nonnegative().optional(),
  ...common,
})

export interface RetireKeyParams extends RevokeCommon {
  readonly org: string
  /** Default: the only active key that no longer mints. */
  readonly kid?: string | undefined
}

export const retireKeyParams: z.ZodType<RetireKeyParams> = z.strictObject({
  org: orgName,
  kid: kid.optional(),
  ...common,
})

export interface DisableOrgParams extends RevokeCommon {
  readonly org: string
}

export const disableOrgParams: z.ZodType<DisableOrgParams> = z.strictObject({ org: orgName, ...common })

export interface TokensOnRecord {
  /** Number of tokens that have not expired. Only tokens with an expiry and with a record of their mint are counted. */
  readonly count: number
  /**
   * True if all mints were read. If false, there may be more tokens: only the newest mints of all orgs are read, so a caller
   * learns whether the cluster has recorded more than those.
   */
  readonly complete: boolean
}

/** The tokens that a revocation would apply to. */
export interface TokensCounted extends TokensOnRecord {
  /** Recorded subjects that the caller may have meant. */
  readonly nearest: readonly string[]
  /** Recorded subjects that look the same. */
  readonly lookAlikes: readonly string[]
}

export interface CountTokensParams {
  readonly org: string
  /** Limits the count to this key of the org. */
  readonly kid?: string | undefined
  readonly subject?: string | undefined
  /** Limits the count to tokens issued up to this time, unix milliseconds. */
  readonly untilMs?: number | undefined
}

export const countTokensParams: z.ZodType<CountTokensParams> = z.strictObject({
  org: orgName,
  kid: kid.optional(),
  subject: subject.optional(),
  untilMs: z.number().int().nonnegative().optional(),
})

/** Revoking does not count tokens; `tokens.count` does. Callers of version 0.1.0 expect a count and print "at least 0". */
export const NOT_COUNTED: TokensOnRecord = { count: 0, complete: false }

interface Revoked {
  readonly org: string
  /** A node that knows this number enforces the revocation. With `already` it is the number of an earlier revocation. */
  readonly seq: number
  /** True if it was revoked before in the same way, and nothing was added. */
  readonly already: boolean
}

export interface TokenRevoked extends Revoked {
  readonly kind: 'token'
  readonly id: string
  /**
   * `recorded`: the mint is on record. `unrecorded`: there is no record of it, or no longer; the id is revoked all the same.
   */
  readonly matched: 'recorded' | 'unrecorded'
}

interface CutOff extends Revoked {
  /** Tokens issued up to this time are revoked, unix milliseconds. */
  readonly untilMs: number
  /**
   * True if the primary doubts its clock. The cut-off then ends with the last token that the primary minted. Once the primary
   * believes its clock again, and before it mints anything, it extends the cut-off to `untilMs` of the request, or else to the
   * time of the request.
   */
  readonly clockInDoubt?: true
}

export interface SubjectRevoked extends CutOff {
  readonly kind: 'subject'
  readonly subject: string
}

export interface OrgRevoked extends CutOff {
  readonly kind: 'org'
}

export interface KeyRetired extends Revoked {
  readonly kind: 'key'
  readonly kid: string
  /** The key that mints for the org now; null if it has none until a new key is made. */
  readonly mints: string | null
}

export interface OrgDisabled extends Revoked {
  readonly kind: 'org_disabled'
}

export type RevokeAnswer = TokenRevoked | SubjectRevoked | OrgRevoked | KeyRetired | OrgDisabled

export interface Reached {
  /** The level reached: in the archive, on a replica's disk, or on the primary's disk only. */
  readonly durability: DurabilityLevel
  /** True if the configured level was not reached in time. The primary answers all the same if its configuration allows it. */
  readonly degraded?: true
}

interface CommittedAnswer extends Reached {
  /** With `wait: 'global'`: the coverage of each replica once the revocation binds everywhere. */
  readonly replicas?: readonly CoveredReplica[]
  readonly position: string
}

export type RevokeResult<T extends object = RevokeAnswer> = T & CommittedAnswer

export interface RevocationsParams {
  readonly org?: string | undefined
  /** Lists rows with a number above this. */
  readonly after: number
  readonly limit: number
}

export const revocationsParams: z.ZodType<RevocationsParams> = z.strictObject({
  org: orgName.optional(),
  after: z.number().int().nonnegative(),
  limit: z.number().int().min(1).max(1000),
})

export interface RevocationDescription {
  readonly seq: number
  readonly kind: RevocationKind
  readonly org: string
  /** Kind `token`: id of the token. */
  readonly id?: string
  /** Kind `subject` only. */
  readonly subject?: string
  /** Kinds `subject` and `org`: revokes tokens issued up to this time, unix milliseconds. */
  readonly untilMs?: number
  /** Kind `key` only. */
  readonly kid?: string
  /** Unix milliseconds. */
  readonly atMs: number
  /** Unix seconds after which no token that it names can live; 0 for never or unknown. */
  readonly expiresAt: number
  readonly actor: string
  readonly reason: string
}

export interface RevocationsResult {
  readonly revocations: readonly RevocationDescription[]
  /** `after` of the next call; absent if these were the last rows. */
  readonly next?: number
}

/**
 * Exactly one of: a number; a token or its id, which finds every revocation of it or of its ancestors; an org, optionally with
 * a subject.
 */
export interface FindRevocationsParams {
  readonly seq?: number | undefined
  readonly token?: string | undefined
  readonly id?: string | undefined
  readonly org?: string | undefined
  readonly subject?: string | undefined
}

export const findRevocationsParams: z.ZodType<FindRevocationsParams> = z
  .strictObject({
    seq: z.number().int().positive().optional(),
    token: token.optional(),
    id: id.optional(),
    org: orgName.optional(),
    subject: subject.optional(),
  })
  .refine(
    ({ subject: of, ...one }) =>
      Object.values(one).filter((value) => value !== undefined).length === 1 &&
      (of === undefined || one.org !== undefined),
    'one of seq, token, id, or an org (and a subject of it)',
  )

export interface FindRevocationsResult {
  /** At most 20, ascending by number. */
  readonly revocations: readonly RevocationDescription[]
  /** True if there are more than these. */
  readonly more: boolean
  /** The epoch of these numbers, for `revocations.coverage`. */
  readonly epoch: number
}
