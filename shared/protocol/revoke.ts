/** Calls on the `sign` channel that revoke, and that tell what was revoked. */
import { z } from 'zod'
import type { DurabilityLevel } from '../database/meta.ts'
import { orgName } from '../ids.ts'
import { REASON_CHARS_MAX, REQUEST_ID_CHARS_MAX, TOKEN_TEXT_CHARS_MAX } from '../limits.ts'
import type { CoveredReplica } from './coverage.ts'
import type { RevocationKind } from '../verifier/revocation-row.ts'

/**
 * `local`: on the primary's disk. `durable`: on that of a replica as well, where replicas are configured. `global`: durable,
 * and the caller goes on to ask with `revocations.coverage` until it binds everywhere.
 */
export type RevokeWait = 'local' | 'durable' | 'global'

export interface RevokeCommon {
  readonly reason: string
  readonly wait: RevokeWait
  /**
   * Chosen by the caller, at most 64 characters. What was carried out under it answers again as it did,
   * unless 10,000 requests came after it; another content under it is a conflict.
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
  /** Of this subject only. */
  readonly subject?: string | undefined
  /** What was issued up to this moment, unix milliseconds, itself included; without it, up to now. Never in the future. */
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
  /** Without it, the one key that is active and does not mint any more. */
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
  /** Tokens that live, as far as their mint is on record and they expire by themselves. */
  readonly count: number
  /** False: not all mints were looked at, there may be more. */
  readonly complete: boolean
}

/** What a revocation would apply to. */
export interface TokensCounted extends TokensOnRecord {
  /** Other subjects on record that the one asked about may have been meant to be. */
  readonly nearest: readonly string[]
  /** Other subjects on record that look like it. */
  readonly lookAlikes: readonly string[]
}

export interface CountTokensParams {
  readonly org: string
  /** Of this key of the org only. */
  readonly kid?: string | undefined
  readonly subject?: string | undefined
  /** Issued up to then, unix milliseconds. */
  readonly untilMs?: number | undefined
}

export const countTokensParams: z.ZodType<CountTokensParams> = z.strictObject({
  org: orgName,
  kid: kid.optional(),
  subject: subject.optional(),
  untilMs: z.number().int().nonnegative().optional(),
})

/** For callers of 0.1.0, which print it: "at least 0". Revoking counts nothing; `tokens.count` does. */
export const NOT_COUNTED: TokensOnRecord = { count: 0, complete: false }

interface Revoked {
  readonly org: string
  /** Number of the last revocation that has to be known for this to bind: of its own row, unless it was `already`. */
  readonly seq: number
  /** It was revoked before in the same way: nothing was added. */
  readonly already: boolean
}

export interface TokenRevoked extends Revoked {
  readonly kind: 'token'
  readonly id: string
  /** "recorded": the mint is on record. "unrecorded": no record of it (any more); the id is revoked all the same. */
  readonly matched: 'recorded' | 'unrecorded'
}

interface CutOff extends Revoked {
  /** What was issued up to then is revoked, unix milliseconds. */
  readonly untilMs: number
  /**
   * The primary does not believe its clock: this reaches the last token that it minted itself. It extends it to the moment of
   * the request, or to the one that was named, once it believes its clock again, and before it mints anything.
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
  /** The key that mints for the org now; null: none, until it gets a new one. */
  readonly mints: string | null
}

export interface OrgDisabled extends Revoked {
  readonly kind: 'org_disabled'
}

export type RevokeAnswer = TokenRevoked | SubjectRevoked | OrgRevoked | KeyRetired | OrgDisabled

export interface Reached {
  /** What holds now: in the archive, on a replica's disk, or on the primary's only. */
  readonly durability: DurabilityLevel
  /** It is less than what is configured, and was not reached in time: the primary answers all the same, as it was told to. */
  readonly degraded?: true
}

interface Settled extends Reached {
  /** With `wait: 'global'`: how each replica is covered, when it binds everywhere. */
  readonly replicas?: readonly CoveredReplica[]
  readonly position: string
}

export type RevokeResult<T extends RevokeAnswer = RevokeAnswer> = T & Settled

export interface RevocationsParams {
  readonly org?: string | undefined
  /** Rows with a higher number than this. */
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
  /** Of `token`: its id. */
  readonly id?: string
  /** Of `subject`. */
  readonly subject?: string
  /** Of `subject` and `org`: tokens issued up to then, unix milliseconds. */
  readonly untilMs?: number
  /** Of `key`. */
  readonly kid?: string
  /** Unix milliseconds. */
  readonly atMs: number
  /** Unix seconds after which nothing that it names can live; 0 for never or unknown. */
  readonly expiresAt: number
  readonly actor: string
  readonly reason: string
}

export interface RevocationsResult {
  readonly revocations: readonly RevocationDescription[]
  /** Pass it as `after` to go on; absent when these were the last. */
  readonly next?: number
}

/** One of: a number, a token or its id (whatever hits it or what it was made from), an org (with a subject, only of that). */
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
  /** In their order, at most 20. */
  readonly revocations: readonly RevocationDescription[]
  /** There are more than these. */
  readonly more: boolean
  /** The numbers are of this epoch's log: what `revocations.coverage` is asked with. */
  readonly epoch: number
}
