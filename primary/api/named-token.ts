/** Which token a revocation means: by the token itself, whose expiry is then proven, or by its id. */
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
  /** Unix seconds; 0 when it never expires or nobody knows. */
  readonly expiresAt: number
  /** Looked up when its turn has come: nothing is read before. */
  readonly recorded: boolean
  readonly proven: boolean
}

export interface NameOptions {
  /** Called with the key's id before anything is said of the token; throws when the caller has no part in it. */
  readonly requireKey: (kid: Kid) => OrgKey
}

/** Throws the token's own errors, what `requireKey` throws, or request_invalid when its signature is not this authority's. */
export function nameToken(named: Pick<RevokeTokenParams, 'token' | 'id'>, { requireKey }: NameOptions): NamedToken {
  const { kid, nonce, proven } =
    named.token === undefined ? byId(named.id ?? '', requireKey) : byToken(named.token, requireKey)
  // An expiry that is not on record and not proven must not let the row be purged: 0 keeps it.
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
    hint: 'if only the id is at hand, revoke by id',
  })
}
