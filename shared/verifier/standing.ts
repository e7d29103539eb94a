/** What the tables say of a token by its name: retirement of its key, disabling of its org, revocation. */
import type { Kid, Nonce } from '../ids.ts'
import type { TokenIdentifier } from '../macaroon/identifier.ts'
import { nonceTimeMs } from '../macaroon/nonce.ts'
import type { KeyEntry } from './key-table.ts'
import { type RefusalReason, type Refused, refused } from './verdict.ts'

/** What a node knows of keys and revocations. */
export interface TokenTables {
  readonly key: (kid: Kid) => KeyEntry | undefined
  readonly revoked: (kid: Kid, nonce: Nonce) => boolean
}

/** Knows no key: whatever a caveat asks of another token refuses. */
export const NO_TABLES: TokenTables = { key: () => undefined, revoked: () => false }

type Fallen = Extract<RefusalReason, 'key_retired' | 'org_disabled' | 'revoked'>

const MESSAGES: Readonly<Record<Fallen, string>> = {
  key_retired: 'its key is retired',
  org_disabled: 'its org is disabled',
  revoked: 'it is revoked',
}

/** Of the token and of every token it was made from. */
export function standing(identifier: TokenIdentifier, key: KeyEntry, tables: TokenTables): Refused | undefined {
  const own = standingOf(identifier.kid, identifier.nonce, key, tables)
  if (own !== undefined) return refused(own, MESSAGES[own])
  for (const { kid, nonce } of identifier.ancestors) {
    const ancestorKey = tables.key(kid)
    if (ancestorKey === undefined) return keyUnknown(identifier.nonce)
    const reason = standingOf(kid, nonce, ancestorKey, tables)
    if (reason !== undefined) return refused(reason, `a token that this one was made from: ${MESSAGES[reason]}`)
  }
  return undefined
}

/** Of a token that a caveat names. */
export function standingOfNamed(kid: Kid, nonce: Nonce, tables: TokenTables): Refused | undefined {
  const key = tables.key(kid)
  if (key === undefined) return keyUnknown(nonce)
  const reason = standingOf(kid, nonce, key, tables)
  if (reason === undefined) return undefined
  return refused(reason, `a token that this one, or a discharge of it, goes back to: ${MESSAGES[reason]}`)
}

export function keyUnknown(nonce: Nonce): Refused {
  const issuedAtMs = nonceTimeMs(nonce)
  return refused('key_unknown', 'no key of this authority is known by the name that the token gives', { issuedAtMs })
}

function standingOf(kid: Kid, nonce: Nonce, key: KeyEntry, tables: TokenTables): Fallen | undefined {
  if (key.orgState !== 'active') return 'org_disabled'
  if (key.state !== 'active') return 'key_retired'
  return tables.revoked(kid, nonce) ? 'revoked' : undefined
}
