/** Finds the token that a revocation names: by the token itself, which proves its expiry, or by its id. */
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

export interface NameOptions {
  /** Called before the token is verified. Throws if the caller may not act for the key's org, so no answer reveals more. */
  readonly requireKey: (kid: Kid) => OrgKey
}

/** Throws decoding errors, what `requireKey` throws, and request_invalid if the signature is not this authority's. */
export function nameToken(named: Pick<RevokeTokenParams, 'token' | 'id'>, { requireKey }: NameOptions): NamedToken {
  const { kid, nonce, proven } =
    named.token === undefined ? byId(named.id ?? '', requireKey) : byToken(named.token, requireKey)
  // Without a proven expiry the row must not be purged: 0 keeps it.
  return { kid, nonce, expiresAt: proven ?? 0, recorded: false, proven: proven !== undefined }
}

interface Name {
  readonly kid: Kid
  readonly nonce: Nonce
  readonly proven: number | undefined
}

function byId(id: string, requireKey: NameOptions['requireKey']): Name {
  const { kid, nonce } = parseTokenId(id)
  requireKey(kid)
  return { kid, nonce, proven: undefined }
}

function byToken(text: string, requireKey: NameOptions['requireKey']): Name {
  const macaroon = decodeTokenText(text)
  const { kid, nonce, expiresAt } = decodeIdentifier(macaroon.identifier)
  const { derivedKey } = requireKey(kid)
  if (verifyMacaroon(macaroon, derivedKey) !== undefined) return { kid, nonce, proven: expiresAt }
  throw new MacaroondError('request_invalid', 'this token was not minted by this authority, or was changed', {
    hint: 'if you have only the id, revoke by id',
  })
}
