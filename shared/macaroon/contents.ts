/** The contents of a token, for whoever holds it. Nothing is verified, so the contents may be forged. */
import { assert } from '../errors.ts'
import { tokenId } from '../ids.ts'
import { hexOf } from './bytes.ts'
import { earliestExpiry } from './expiry.ts'
import { decodeIdentifier, type TokenReference } from './identifier.ts'
import type { Caveat, Macaroon } from './macaroon.ts'
import { nonceTimeMs } from './nonce.ts'
import { writeBase64Url } from './portable-base64.ts'
import { decodeUtf8 } from './utf8.ts'

/** A third-party caveat. `token exchange` takes the ticket. */
export interface ThirdPartyContents {
  /** The location, '' for none. */
  readonly thirdParty: string
  /** Base64url without padding. */
  readonly ticket: string
}

/** The contents without the signature, which is enough to use the token. */
export interface TokenContents {
  /** `<kid>.<nonce>`, as revocations and the audit name the token. */
  readonly id: string
  /** Always null: the org belongs to the root key, and only a node of the cluster knows it. */
  readonly org: null
  readonly subject: string
  /** Unix seconds. */
  readonly issuedAt: number
  /** Unix seconds: the earliest of the token's own expiry and of the `time` caveats of the bundle. Null for never. */
  readonly expiresAt: number | null
  /** The caveat that lets it expire then; absent if it is the token's own expiry. */
  readonly expiresBy?: string
  /** Ids of the tokens that a service token was made from. */
  readonly ancestors: readonly string[]
  /** First-party caveats as text, or as `0x` and hex digits if they are not UTF-8. */
  readonly caveats: readonly (string | ThirdPartyContents)[]
  /** Number of discharges that came with the token. */
  readonly discharges: number
  readonly verified: false
}

/** The contents of the token that comes first. Throws token_malformed and token_unsupported, as `decodeIdentifier` does. */
export function contentsOf([macaroon, ...discharges]: readonly Macaroon[]): TokenContents {
  assert(macaroon !== undefined, 'a bundle has a token')
  const { kid, nonce, subject, expiresAt, ancestors } = decodeIdentifier(macaroon.identifier)
  const caveats = macaroon.caveats.map(caveatContents)
  const ofDischarges = discharges.flatMap((discharge) => discharge.caveats.map(caveatContents))
  const texts = [...caveats, ...ofDischarges].filter((caveat) => typeof caveat === 'string')
  const expiry = earliestExpiry(expiresAt, texts)
  return {
    id: tokenId(kid, nonce),
    org: null,
    subject,
    issuedAt: Math.floor(nonceTimeMs(nonce) / 1000),
    expiresAt: expiry === undefined ? null : Math.floor(expiry.atMs / 1_000),
    ...(expiry?.caveat === undefined ? {} : { expiresBy: expiry.caveat }),
    ancestors: ancestors.map((ancestor: TokenReference) => tokenId(ancestor.kid, ancestor.nonce)),
    caveats,
    discharges: discharges.length,
    verified: false,
  }
}

function caveatContents({ cid, vid, location = '' }: Caveat): string | ThirdPartyContents {
  if (vid !== undefined) return { thirdParty: location, ticket: writeBase64Url(cid) }
  return decodeUtf8(cid) ?? `0x${hexOf(cid)}`
}
