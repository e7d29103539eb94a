/**
 * Calls on the `sign` channel that read the records of tokens: a list in pages, one token, and the service tokens that were
 * made from one. No answer holds a token or a secret.
 */
import { z } from 'zod'
import { orgName } from '../id-schemas.ts'
import { TOKENS_PAGE_MAX } from '../limits.ts'
import type { TableRefusal } from '../verifier/verdict.ts'

/**
 * `live`: no revocation applies to it and it has not expired. The other states are the reasons with which a replica refuses
 * it. Caveats do not count, because the records do not have them.
 */
export type TokenState = 'live' | 'expired' | 'key_unknown' | TableRefusal

const after = z.string().regex(/^([0-9a-f]{32})?$/)
const limit = z.number().int().min(1).max(TOKENS_PAGE_MAX)
const id = z.string().max(64)

export interface ListTokensParams {
  readonly org: string
  /** Limits the list to this subject. */
  readonly subject?: string | undefined
  /** Limits the list to tokens issued at this time or later, unix milliseconds. */
  readonly sinceMs?: number | undefined
  /** True for only the tokens in the state `live`. */
  readonly live?: boolean | undefined
  /** Empty first, then `next` of the last answer. */
  readonly after: string
  readonly limit: number
}

export const listTokensParams: z.ZodType<ListTokensParams> = z.strictObject({
  org: orgName,
  subject: z.string().min(1).max(255).optional(),
  sinceMs: z.number().int().nonnegative().optional(),
  live: z.boolean().optional(),
  after,
  limit,
})

/** A token on record. */
export interface ListedToken {
  readonly id: string
  readonly subject: string
  /** Unix milliseconds. */
  readonly issuedAtMs: number
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number
  readonly state: TokenState
  /** Ids of the tokens that it was made from, nearest first. Only a service token has them. */
  readonly ancestors?: readonly string[]
}

/** Tokens in the order in which they were issued. */
export interface ListTokensResult {
  readonly tokens: readonly ListedToken[]
  /**
   * `after` of the next call; absent if there are no further records. It begins with the time of issue up to which the call
   * read. It depends on the records of this org only. How long a call takes depends on those of others too.
   */
  readonly next?: string
}

export interface ShowTokenParams {
  readonly id: string
}

export const showTokenParams: z.ZodType<ShowTokenParams> = z.strictObject({ id })

/** The audit record of a mint or an exchange. */
export interface IssueRecord {
  readonly kind: 'token.mint' | 'token.exchange'
  /** Name and PeerId of the caller. */
  readonly by: string
  /** Unix milliseconds. */
  readonly atMs: number
}

export interface ShowTokenResult {
  readonly id: string
  readonly org: string
  readonly issuedAtMs: number
  /** False if there is no record of a mint, for example because a restore undid it. Then subject and expiry are null. */
  readonly recorded: boolean
  readonly subject: string | null
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number | null
  readonly state: TokenState
  /** Why it is not live, in words; null if it is. */
  readonly why: string | null
  /** Nearest first; empty for a token that was minted. */
  readonly ancestors: readonly string[]
  /** Null if the audit has no record of it. */
  readonly issued: IssueRecord | null
}

export interface MadeFromParams {
  /** Id of the ancestor. */
  readonly id: string
  /** Empty first, then `next` of the last answer. */
  readonly after: string
  readonly limit: number
}

export const madeFromParams: z.ZodType<MadeFromParams> = z.strictObject({ id, after, limit })

/** A service token that was made from the token, at once or through other service tokens. */
export interface MadeToken {
  readonly id: string
  /** Time of the exchange, unix milliseconds. */
  readonly atMs: number
  /** Location of the third-party caveat that the exchange removed. */
  readonly stripped: string
}

export interface MadeFromResult {
  readonly tokens: readonly MadeToken[]
  /** `after` of the next call; absent if there are no further records. */
  readonly next?: string
}
