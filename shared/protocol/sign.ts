/**
 * Calls on the `sign` channel, signer or operator to primary. The primary checks parameters by these schemas before any work.
 */
import { orgName } from '../id-schemas.ts'
import { z } from 'zod'
import {
  BUNDLE_BYTES_MAX,
  CAVEAT_BYTES_MAX,
  CAVEATS_MAX,
  LOCATION_BYTES_MAX,
  PRESENTED_MAX,
  SERVICE_TTL_SECONDS_MAX,
  TTL_SECONDS_MAX,
} from '../limits.ts'
import { requestId } from './revoke.ts'

export interface OrgCreateParams {
  readonly name: string
}

export const orgCreateParams: z.ZodType<OrgCreateParams> = z.strictObject({ name: orgName })

export interface OrgCreateResult {
  readonly org: string
  /** Id of the org's first root key. */
  readonly kid: string
  readonly position: string
}

export interface OrgDescription {
  readonly name: string
  readonly state: 'active' | 'disabled'
  /** Unix milliseconds. */
  readonly createdMs: number
  readonly keys: readonly { readonly kid: string; readonly generation: number; readonly state: 'active' | 'retired' }[]
}

export interface OrgListResult {
  readonly orgs: readonly OrgDescription[]
}

/** A place in the list: the keys of this org before number `keys`, and all orgs with names before it, were listed. */
export interface OrgListPlace {
  readonly org: string
  readonly keys: number
}

export interface OrgListParams {
  /** Null first, then `next` of the last answer. 0.1.0 leaves it out and reads one answer only. */
  readonly after?: OrgListPlace | null | undefined
}

export const orgListParams: z.ZodType<OrgListParams> = z.strictObject({
  after: z.strictObject({ org: orgName, keys: z.number().int().nonnegative() }).nullish(),
})

/** Orgs in the order of their names. An org with many keys is continued in the next page. */
export interface OrgListPage extends OrgListResult {
  /** `after` of the next call; null if these were the last orgs. 0.1.0 lists all orgs and sends none. */
  readonly next?: OrgListPlace | null
}

export interface MintParams {
  readonly org: string
  /** At most 255 bytes of UTF-8. */
  readonly subject: string
  readonly caveats: readonly string[]
  /** Lifetime in seconds; 0 for a token that does not expire. */
  readonly ttlSeconds: number
}

export const mintParams: z.ZodType<MintParams> = z.strictObject({
  org: orgName,
  subject: z.string().min(1).max(255),
  caveats: z.array(z.string().min(1).max(CAVEAT_BYTES_MAX)).max(CAVEATS_MAX),
  ttlSeconds: z.number().int().nonnegative().max(TTL_SECONDS_MAX),
})

export interface MintResult {
  readonly token: string
  /** `<kid>.<nonce>`. It names the token for revocation and audit, and is no secret. */
  readonly id: string
  readonly org: string
  readonly subject: string
  /** Unix milliseconds. */
  readonly issuedAtMs: number
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number
  readonly position: string
}

export interface ThirdPartyParams {
  readonly name: string
}

export const thirdPartyParams: z.ZodType<ThirdPartyParams> = z.strictObject({ name: orgName })

export interface ThirdPartyAddParams extends ThirdPartyParams {
  /**
   * True if its discharges require that the presented tokens are not revoked. Only for a service with this authority's
   * revocations.
   */
  readonly unrevoked: boolean
}

export const thirdPartyAddParams: z.ZodType<ThirdPartyAddParams> = z.strictObject({
  name: orgName,
  unrevoked: z.boolean(),
})

export interface ThirdPartyDescription {
  readonly name: string
  /** The location in its caveats. */
  readonly location: string
  /** X25519 key that tickets are sealed to, 64 hex digits. */
  readonly publicKey: string
  readonly unrevoked: boolean
}

export interface ThirdPartyAddResult extends ThirdPartyDescription {
  readonly position: string
}

export interface ThirdPartyRemoveResult {
  readonly name: string
  readonly position: string
}

export interface ThirdPartyListResult {
  readonly thirdParties: readonly (ThirdPartyDescription & {
    /** Unix milliseconds. */
    readonly createdMs: number
  })[]
}

export interface DischargeParams {
  /** The caveat id, base64url without padding. */
  readonly ticket: string
  /** One to four tokens with their discharges, which allow what the ticket requires; all of one org, 256 KiB together. */
  readonly tokens: readonly string[]
}

export const dischargeParams: z.ZodType<DischargeParams> = z.strictObject({
  ticket: z.string().max(CAVEAT_BYTES_MAX * 2),
  tokens: z
    .array(z.string())
    .min(1)
    .max(PRESENTED_MAX)
    .refine(
      (tokens) => tokens.reduce((sum, { length }) => sum + length, 0) <= BUNDLE_BYTES_MAX,
      `presented tokens have at most ${BUNDLE_BYTES_MAX} characters together`,
    ),
})

export interface DischargeResult {
  /** The discharge in the text form of a token, not bound to a token yet. */
  readonly discharge: string
  /** The org that the discharge is good for. */
  readonly tenant: string
  /** Ids of the presented tokens. */
  readonly presented: readonly string[]
  /** Unix seconds. */
  readonly expiresAt: number
  readonly position: string
}

export interface ExchangeParams {
  /** The token with the discharge of its login caveat. */
  readonly token: string
  /** Location of the third-party caveat to remove. It is only a hint, because the token's holder can rewrite it. */
  readonly strip: string
  /** Id of the token that the login was added to. A holder can add a caveat with the same ticket to another token. */
  readonly id: string
  /** The caveat id of that caveat, base64url without padding. The token's signature covers it. */
  readonly ticket: string
  /** Lifetime in seconds. `SERVICE_TTL_SECONDS_MAX` asks for the longest that the primary grants. */
  readonly ttlSeconds: number
}

export const exchangeParams: z.ZodType<ExchangeParams> = z.strictObject({
  token: z.string().max(BUNDLE_BYTES_MAX),
  strip: z.string().max(LOCATION_BYTES_MAX),
  id: z.string('the id of the token that the login was added to: <kid>.<nonce>').max(64),
  ticket: z.string('the caveat id of the login caveat to remove, base64url without padding').max(CAVEAT_BYTES_MAX * 2),
  ttlSeconds: z.number().int().positive().max(SERVICE_TTL_SECONDS_MAX),
})

export interface ExchangeResult extends MintResult {
  /** Ids of the tokens it was made from, nearest first. Revoking any of them revokes it. */
  readonly ancestors: readonly string[]
  readonly stripped: string
}

export interface RotateKeyParams {
  readonly org: string
  readonly requestId?: string | undefined
}

export const rotateKeyParams: z.ZodType<RotateKeyParams> = z.strictObject({
  org: orgName,
  requestId: requestId.optional(),
})

export interface RotateKeyResult {
  readonly org: string
  /** Id of the new root key, which mints from now on. */
  readonly kid: string
  readonly generation: number
  /** The key that minted before; its tokens stay valid until it is retired. Null if there was none. */
  readonly previous: string | null
  readonly position: string
}

export interface RotateKekParams {
  /** True to rotate although a replica has not reported the new KEK. That replica stops when the resealed keys reach it. */
  readonly force: boolean
}

export const rotateKekParams: z.ZodType<RotateKekParams> = z.strictObject({ force: z.boolean() })

export interface RotateKekResult {
  /** Id of the KEK that everything is sealed with now; it reveals nothing of the KEK. */
  readonly kek: string
  /** Number of secrets that were sealed with another KEK. */
  readonly resealed: number
  readonly position: string
}
