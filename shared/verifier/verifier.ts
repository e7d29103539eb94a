/**
 * Judges a token for an access, from tables alone: no I/O, no clock, no state. The order is part of the security: text,
 * bytes, identifier, key, HMAC chain; only then is anything that the token says believed, or told back.
 */
import { MacaroondError } from '../errors.ts'
import { type Kid, type Nonce, tokenId } from '../ids.ts'
import { decodeIdentifier, type TokenIdentifier } from '../macaroon/identifier.ts'
import type { Macaroon } from '../macaroon/macaroon.ts'
import { nonceTimeMs } from '../macaroon/nonce.ts'
import { verifyMacaroon } from '../macaroon/signature.ts'
import { decodeTokenText } from '../macaroon/text.ts'
import { type Access, type Context, readFacts } from './access.ts'
import { clearCaveats } from './clear.ts'
import type { KeyEntry } from './key-table.ts'
import { type Accepted, type RefusalReason, type Refused, refused, type Verdict } from './verdict.ts'

export interface VerificationRequest {
  /** In its text form. */
  readonly token: string
  readonly access: Access
}

/** What a node knows of keys and revocations. */
export interface TokenTables {
  readonly key: (kid: Kid) => KeyEntry | undefined
  readonly revoked: (kid: Kid, nonce: Nonce) => boolean
}

/** Never throws, whatever token and access are. */
export function judge(request: VerificationRequest, tables: TokenTables, context: Context): Verdict {
  if (!credible(context)) return refused('unavailable', 'this node does not know the time')
  const token = readToken(request.token)
  if ('ok' in token) return token
  const { macaroon, identifier } = token
  const key = tables.key(identifier.kid)
  if (key === undefined) return keyUnknown(identifier)
  const verified = verifyMacaroon(macaroon, key.derivedKey)
  if (verified === undefined) return refused('signature_wrong', 'the signature does not match: the token was changed')
  const fallen = standing(identifier, key, tables) ?? expiry(identifier, context)
  if (fallen !== undefined) return fallen
  const facts = readFacts(request.access, context)
  if ('ok' in facts) return facts
  if (facts.org !== key.org) return refused('org_mismatch', 'the token is not for the org that the access names')
  const cleared = clearCaveats(verified, facts)
  return cleared.ok ? accepted(identifier, key, cleared.notes, verified.caveats.length) : cleared
}

/** Comparisons with NaN are false, and one of them would let every token pass. */
function credible({ nowEarliestMs, nowLatestMs }: Context): boolean {
  return Number.isFinite(nowEarliestMs) && Number.isFinite(nowLatestMs) && nowEarliestMs <= nowLatestMs
}

interface ReadToken {
  readonly macaroon: Macaroon
  readonly identifier: TokenIdentifier
}

function readToken(text: string): ReadToken | Refused {
  try {
    const macaroon = decodeTokenText(text)
    return { macaroon, identifier: decodeIdentifier(macaroon.identifier) }
  } catch (error) {
    if (error instanceof MacaroondError) return unreadable(error)
    throw error
  }
}

function unreadable(error: MacaroondError): Refused {
  switch (error.code) {
    case 'token_truncated':
    case 'token_damaged':
    case 'token_too_large':
    case 'token_unsupported':
      return refused(error.code, error.message)
    default:
      return refused('token_malformed', error.message)
  }
}

/** Retirement, disabling and revocation, of the token and of every token it was made from. */
function standing(identifier: TokenIdentifier, key: KeyEntry, tables: TokenTables): Refused | undefined {
  const own = standingOf(identifier.kid, identifier.nonce, key, tables)
  if (own !== undefined) return refused(own, MESSAGES[own])
  for (const { kid, nonce } of identifier.ancestors) {
    const ancestorKey = tables.key(kid)
    if (ancestorKey === undefined) return keyUnknown(identifier)
    const reason = standingOf(kid, nonce, ancestorKey, tables)
    if (reason !== undefined) return refused(reason, `a token that this one was made from: ${MESSAGES[reason]}`)
  }
  return undefined
}

type Fallen = Extract<RefusalReason, 'key_retired' | 'org_disabled' | 'revoked'>

const MESSAGES: Readonly<Record<Fallen, string>> = {
  key_retired: 'its key is retired',
  org_disabled: 'its org is disabled',
  revoked: 'it is revoked',
}

function standingOf(kid: Kid, nonce: Nonce, key: KeyEntry, tables: TokenTables): Fallen | undefined {
  if (key.orgState !== 'active') return 'org_disabled'
  if (key.state !== 'active') return 'key_retired'
  return tables.revoked(kid, nonce) ? 'revoked' : undefined
}

function expiry({ expiresAt }: TokenIdentifier, { nowLatestMs }: Context): Refused | undefined {
  if (expiresAt === 0 || nowLatestMs < expiresAt * 1000) return undefined
  return refused('expired', `the token expired at ${expiresAt} (unix seconds)`)
}

function keyUnknown(identifier: TokenIdentifier): Refused {
  const issuedAtMs = nonceTimeMs(identifier.nonce)
  return refused('key_unknown', 'no key of this authority is known by the name that the token gives', { issuedAtMs })
}

function accepted(id: TokenIdentifier, key: KeyEntry, notes: readonly string[], caveatCount: number): Accepted {
  const { kid, nonce, subject, expiresAt } = id
  const base = { ok: true, id: tokenId(kid, nonce), org: key.org, subject, notes, caveatCount } as const
  return expiresAt === 0 ? base : { ...base, expiresAt }
}
