/** Looks up a token id in the tables of a node: a retired key, a disabled org or a revocation refuses the token. */
import type { Kid, Nonce } from '../ids.ts'
import type { TokenIdentifier, TokenReference } from '../macaroon/identifier.ts'
import { nonceTimeMs } from '../macaroon/nonce.ts'
import { CutOffs } from './cut-offs.ts'
import type { KeyEntry } from './key-table.ts'
import { type TableRefusal, type Refused, refused } from './verdict.ts'

/** The keys and revocations of a node, as verifications read them. */
export interface TokenTables {
  readonly key: (kid: Kid) => KeyEntry | undefined
  readonly revoked: (kid: Kid, nonce: Nonce) => boolean
  /** Revocations that name more than one token. */
  readonly cutOffs: Pick<CutOffs, 'size' | 'refusalOf'>
}

/** Empty tables, for verification without a node. A caveat that names a token refuses. */
export const NO_TABLES: TokenTables = { key: () => undefined, revoked: () => false, cutOffs: new CutOffs() }

const MESSAGES: Readonly<Record<TableRefusal, string>> = {
  key_retired: 'its key is retired',
  org_disabled: 'its org is disabled',
  revoked: 'it is revoked',
}

/** The refusal of the token or of an ancestor, if any. Ancestors have the subject of the token. */
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

/** The refusal of a token that a caveat names. Its subject is unknown, so cut-offs of subjects are not checked. */
export function statusOfNamed(token: TokenReference, tables: TokenTables): Refused | undefined {
  const key = tables.key(token.kid)
  if (key === undefined) return keyUnknown(token.nonce)
  const reason = statusOf(token, undefined, key, tables)
  if (reason === undefined) return undefined
  return refused(reason, `a token that a caveat of this one, or of a discharge, names: ${MESSAGES[reason]}`)
}

/** Carries the time of issue, so that a node whose state is older than the token can answer `unavailable` instead. */
export function keyUnknown(nonce: Nonce): Refused {
  const issuedAtMs = nonceTimeMs(nonce)
  return refused('key_unknown', 'the key that the token names is not known here', { issuedAtMs })
}

/** Runs in every verification, so it skips the cut-offs if there are none. */
function statusOf(
  token: TokenReference,
  subject: string | undefined,
  key: KeyEntry,
  { revoked, cutOffs }: TokenTables,
): TableRefusal | undefined {
  if (key.orgState !== 'active') return 'org_disabled'
  if (key.state !== 'active') return 'key_retired'
  if (revoked(token.kid, token.nonce)) return 'revoked'
  return cutOffs.size === 0 ? undefined : cutOffs.refusalOf(token, key.org, subject)
}
