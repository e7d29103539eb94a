/** Calls on the `sign` channel, signer or operator to primary. Parameters are checked by these schemas before anything else. */
import { orgName } from '../ids.ts'
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
  /** Id of its first root key. */
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

export interface MintParams {
  readonly org: string
  /** At most 255 bytes of UTF-8. */
  readonly subject: string
  readonly caveats: readonly string[]
  /** 0 for a token that does not expire. */
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
  /** `<kid>.<nonce>`: names the token for revocation and audit, and is no secret. */
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
  /** Its discharges ask that the presented tokens still stand; for a service that has this authority's revocations. */
  readonly unrevoked: boolean
}

export const thirdPartyAddParams: z.ZodType<ThirdPartyAddParams> = z.strictObject({
  name: orgName,
  unrevoked: z.boolean(),
})

export interface ThirdPartyDescription {
  readonly name: string
  /** What goes into the location of its caveats. */
  readonly location: string
  /** X25519, 64 hex digits: what it seals its tickets to. */
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
  /** One to four tokens, with their discharges, that allow what the ticket asks; all of one org, 256 KiB together. */
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
  /** In the text form of a token, bound to nothing. */
  readonly discharge: string
  /** The org that it is good for. */
  readonly tenant: string
  /** Ids of the presented tokens. */
  readonly presented: readonly string[]
  /** Unix seconds. */
  readonly expiresAt: number
  readonly position: string
}

export interface ExchangeParams {
  /** A token with the discharge of its login. */
  readonly token: string
  /** Location of the third-party caveat to take off: a hint, which whoever holds the token can rewrite. */
  readonly strip: string
  /** Id of the token that the login was put into: another one may have a caveat with the same ticket, by its holder. */
  readonly id: string
  /** The caveat id that it must have, base64url without padding: the signature covers it. */
  readonly ticket: string
  /** The most that there is, `SERVICE_TTL_SECONDS_MAX`, asks for the most that the primary gives. */
  readonly ttlSeconds: number
}

export const exchangeParams: z.ZodType<ExchangeParams> = z.strictObject({
  token: z.string().max(BUNDLE_BYTES_MAX),
  strip: z.string().max(LOCATION_BYTES_MAX),
  id: z.string('it names the token that the login was put into: <kid>.<nonce>').max(64),
  ticket: z
    .string('it names the login that is taken off: the caveat id of that very caveat, base64url without padding')
    .max(CAVEAT_BYTES_MAX * 2),
  ttlSeconds: z.number().int().positive().max(SERVICE_TTL_SECONDS_MAX),
})

export interface ExchangeResult extends MintResult {
  /** Ids of the tokens it was made from, the nearest first: it ends with any of them. */
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
  /** The key that minted before; its tokens stay good until it is retired. Null when there was none. */
  readonly previous: string | null
  readonly position: string
}

export interface RotateKekParams {
  /** Although a replica has not shown that it has the new key-encryption key: it stops when the resealed keys reach it. */
  readonly force: boolean
}

export const rotateKekParams: z.ZodType<RotateKekParams> = z.strictObject({ force: z.boolean() })

export interface RotateKekResult {
  /** Names the key-encryption key that everything is sealed with now, and reveals nothing of it. */
  readonly kek: string
  /** Secrets that were sealed with another one. */
  readonly resealed: number
  readonly position: string
}
