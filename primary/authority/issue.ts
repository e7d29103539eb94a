/** Issues a token of this authority, for a mint and for an exchange. No other code signs an identifier with a root key. */
import { assert, MacaroondError } from '../../shared/errors.ts'
import { type TokenId, tokenId } from '../../shared/ids.ts'
import { encodeIdentifier, type TokenReference } from '../../shared/macaroon/identifier.ts'
import { attenuate, createMacaroon } from '../../shared/macaroon/attenuate.ts'
import { nextNonce, NONCE_RANDOM_BYTES } from '../../shared/macaroon/nonce.ts'
import { encodeTokenText } from '../../shared/macaroon/text.ts'
import { requireBelieved } from './believed.ts'
import { requireNoDueCutOffs } from './due-cut-offs.ts'
import { activeOrg } from './org.ts'
import type { AuthorityState, Org, OrgKey } from './state.ts'
import type { DecisionContext } from './decision.ts'

export interface NewToken {
  readonly org: string
  readonly subject: string
  /** The tokens that it is made from, nearest first. */
  readonly ancestors: readonly TokenReference[]
  readonly caveats: readonly (string | Uint8Array)[]
  /** 0 for a token that does not expire. */
  readonly ttlSeconds: number
}

export interface Issued extends TokenReference {
  readonly token: string
  readonly id: TokenId
  readonly issuedAtMs: number
  readonly expiresAt: number
}

/**
 * Signs with the org's active key. The nonce carries the issue clock, which never goes back.
 * Throws clock_implausible, overloaded, org_unknown, org_disabled, key_retired.
 */
export function issueToken(state: AuthorityState, wanted: NewToken, context: DecisionContext): Issued {
  const { subject, ancestors, caveats, ttlSeconds } = wanted
  const { earliestMs } = requireBelieved(context)
  requireNoDueCutOffs(state)
  const org = activeOrg(state, wanted.org)
  const key = mintingKey(state, org)
  const {
    nonce,
    issuedAtMs,
    state: issue,
  } = nextNonce(state.issue, context.nowMs, context.entropy.bytes(NONCE_RANDOM_BYTES))
  // Counts from the earlier of the two times: an issue clock that once jumped ahead must not lengthen later tokens.
  const expiresAt = ttlSeconds === 0 ? 0 : Math.ceil(Math.min(issuedAtMs, earliestMs) / 1000) + ttlSeconds
  const identifier = encodeIdentifier({ kid: key.kid, nonce, expiresAt, ancestors, subject })
  const root = createMacaroon({ derivedKey: key.derivedKey, location: state.cluster, identifier })
  const token = encodeTokenText(attenuate(root, caveats))
  state.issue = issue
  return { token, id: tokenId(key.kid, nonce), kid: key.kid, nonce, issuedAtMs, expiresAt }
}

function mintingKey({ keys }: AuthorityState, { name, activeKid }: Org): OrgKey {
  if (activeKid === undefined) {
    throw new MacaroondError('key_retired', `every key of org ${name} is retired`, {
      hint: `\`macaroond org rotate-key ${name}\` gives it a new one`,
    })
  }
  const key = keys.get(activeKid)
  assert(key?.state === 'active', `org ${name} mints with a key that it has`)
  return key
}
