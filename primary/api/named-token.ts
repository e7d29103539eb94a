/**
 * Resolves the token that a revocation names to its kid and nonce. The caller gives the token itself, which proves its expiry,
 * or only its id.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId, type Kid, type Nonce } from '../../shared/ids.ts'
import { decodeIdentifier } from '../../shared/macaroon/identifier.ts'
import { verifyMacaroon } from '../../shared/macaroon/signature.ts'
import { decodeTokenText } from '../../shared/macaroon/text.ts'
import type { RevokeTokenParams } from '../../shared/protocol/revoke.ts'
import type { OrgKey } from '../authority/state.ts'

export interface NamedToken {
  readonly kid: Kid
  readonly nonce: Nonce
  /** Unix seconds; 0 if it never expires or the expiry is unknown. */
  readonly expiresAt: number
  /** Always false here: the record is looked up just before the transaction. */
  readonly recorded: boolean
  readonly proven: boolean
}

export interface ResolveOptions {
  /**
   * Called before the token is verified. Throws if the caller may not act for the key's org, so that the verification reveals
   * nothing to such a caller.
   */
  readonly requireKey: (kid: Kid) => OrgKey
}

/** Throws decoding errors, what `requireKey` throws, and request_invalid if the signature is not this authority's. */
export function resolveNamedToken(
  named: Pick<RevokeTokenParams, 'token' | 'id'>,
  { requireKey }: ResolveOptions,
): NamedToken {
  const { kid, nonce, proven } =
    named.token === undefined ? byId(named.id ?? '', requireKey) : byToken(named.token, requireKey)
  // A row without a proven expiry must not be purged, and 0 keeps it for ever.
  return { kid, nonce, expiresAt: proven ?? 0, recorded: false, proven: proven !== undefined }
}

interface Resolved {
  readonly kid: Kid
  readonly nonce: Nonce
  readonly proven: number | undefined
}

function byId(id: string, requireKey: ResolveOptions['requireKey']): Resolved {
  const { kid, nonce } = parseTokenId(id)
  requireKey(kid)
  return { kid, nonce, proven: undefined }
}

function byToken(text: string, requireKey: ResolveOptions['requireKey']): Resolved {
  const macaroon = decodeTokenText(text)
  const { kid, nonce, expiresAt } = decodeIdentifier(macaroon.identifier)
  const { derivedKey } = requireKey(kid)
  if (verifyMacaroon(macaroon, derivedKey) !== undefined) return { kid, nonce, proven: expiresAt }
  throw new MacaroondError('request_invalid', 'this authority did not mint this token, or the token was changed', {
    hint: 'if you have only the id, revoke by id',
  })
}
