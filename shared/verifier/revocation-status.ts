/** What the tables say of a token by its name: retirement of its key, disabling of its org, revocation. */
import type { Kid, Nonce } from '../ids.ts'
import type { TokenIdentifier, TokenReference } from '../macaroon/identifier.ts'
import { nonceTimeMs } from '../macaroon/nonce.ts'
import { CutOffs } from './cut-offs.ts'
import type { KeyEntry } from './key-table.ts'
import { type Fallen, type Refused, refused } from './verdict.ts'

/** What a node knows of keys and revocations. */
export interface TokenTables {
  readonly key: (kid: Kid) => KeyEntry | undefined
  readonly revoked: (kid: Kid, nonce: Nonce) => boolean
  /** Revocations that name more than one token. */
  readonly cutOffs: Pick<CutOffs, 'size' | 'fallen'>
}

/** Knows no key and no revocation: whatever a caveat asks of another token refuses. */
export const NO_TABLES: TokenTables = { key: () => undefined, revoked: () => false, cutOffs: new CutOffs() }

const MESSAGES: Readonly<Record<Fallen, string>> = {
  key_retired: 'its key is retired',
  org_disabled: 'its org is disabled',
  revoked: 'it is revoked',
}

/** Of the token and of every token it was made from, which were of the same subject. */
export function revocationStatus(identifier: TokenIdentifier, key: KeyEntry, tables: TokenTables): Refused | undefined {
  const own = statusOf(identifier, identifier.subject, key, tables)
  if (own !== undefined) return refused(own, MESSAGES[own])
  for (const ancestor of identifier.ancestors) {
    const ancestorKey = tables.key(ancestor.kid)
    if (ancestorKey === undefined) return keyUnknown(identifier.nonce)
    const reason = statusOf(ancestor, identifier.subject, ancestorKey, tables)
    if (reason !== undefined) return refused(reason, `a token that this one was made from: ${MESSAGES[reason]}`)
  }
  return undefined
}

/** Of a token that a caveat names; what is revoked of its subject it does not say. */
export function standingOfNamed(token: TokenReference, tables: TokenTables): Refused | undefined {
  const key = tables.key(token.kid)
  if (key === undefined) return keyUnknown(token.nonce)
  const reason = statusOf(token, undefined, key, tables)
  if (reason === undefined) return undefined
  return refused(reason, `a token that this one, or a discharge of it, goes back to: ${MESSAGES[reason]}`)
}

export function keyUnknown(nonce: Nonce): Refused {
  const issuedAtMs = nonceTimeMs(nonce)
  return refused('key_unknown', 'no key of this authority is known by the name that the token gives', { issuedAtMs })
}

/** On the way of every verification: where no more than single tokens is revoked, nothing more is asked. */
function statusOf(
  token: TokenReference,
  subject: string | undefined,
  key: KeyEntry,
  { revoked, cutOffs }: TokenTables,
): Fallen | undefined {
  if (key.orgState !== 'active') return 'org_disabled'
  if (key.state !== 'active') return 'key_retired'
  if (revoked(token.kid, token.nonce)) return 'revoked'
  return cutOffs.size === 0 ? undefined : cutOffs.fallen(token, key.org, subject)
}
