/** The calls that read records of tokens. Each checks the caller's orgs first, and reads in its turn among the walks. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { Clock } from '../../shared/clock.ts'
import { type Kid, parseTokenId, tokenId } from '../../shared/ids.ts'
import type { TokenIdentifier, TokenReference } from '../../shared/macaroon/identifier.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  type ListedToken,
  listTokensParams,
  type ListTokensResult,
  madeFromParams,
  type MadeFromResult,
  showTokenParams,
  type ShowTokenResult,
  type TokenState,
} from '../../shared/protocol/tokens.ts'
import { revocationStatus } from '../../shared/verifier/revocation-status.ts'
import { knownOrg } from '../authority/org.ts'
import { type AuthorityState, tablesOf } from '../authority/state.ts'
import type { IssueAudit } from '../store/issue-audit.ts'
import type { IssuedLog } from '../store/issued-log.ts'
import type { Lineage } from '../store/lineage.ts'
import type { TokenListing } from '../store/token-listing.ts'
import { requireKeyOf, requireOrg } from './permissions.ts'
import type { Walker, Walks } from './walks.ts'

export interface TokensApiOptions {
  readonly state: () => AuthorityState
  readonly book: TokenListing
  readonly issued: IssuedLog
  readonly lineage: Lineage
  readonly audit: IssueAudit
  readonly walks: Walks
  readonly clock: Pick<Clock, 'wallMs'>
}

/** A state, and the reason for it in words; null for a live token. */
interface Judged {
  readonly state: TokenState
  readonly why: string | null
}

export class TokensApi {
  readonly #options: TokensApiOptions

  constructor(options: TokensApiOptions) {
    this.#options = options
  }

  /** One page of the tokens of an org, in the order of issue. Throws permission_denied, org_unknown. */
  async list(peer: KnownPeer, value: unknown, walker: Walker): Promise<ListTokensResult> {
    const { org, subject, sinceMs = 0, live = false, after, limit } = params(listTokensParams, value)
    const { state, book, walks } = this.#options
    requireOrg(peer, org)
    knownOrg(state(), org)
    const matches = (record: Pick<TokenIdentifier, 'subject'>): boolean =>
      subject === undefined || record.subject === subject
    const describe = (token: TokenIdentifier): ListedToken | undefined => {
      const listed = this.#listed(token)
      return live && listed.state !== 'live' ? undefined : listed
    }
    return walks.run(walker, (signal) =>
      book.list({ after, limit, sinceMs, keys: this.#keysOf(org), matches, describe, signal }),
    )
  }

  /** Returns the record of one token. Throws key_unknown, request_invalid. */
  async show(peer: KnownPeer, value: unknown, walker: Walker): Promise<ShowTokenResult> {
    const { kid, nonce } = parseTokenId(params(showTokenParams, value).id)
    const { state, issued, lineage, audit, walks } = this.#options
    const { org } = requireKeyOf(peer, kid, state().keys)
    const id = tokenId(kid, nonce)
    return walks.run(walker, async (signal) => {
      const record = issued.find(kid, nonce)
      const ancestors = lineage.ancestorsOf(kid, nonce)
      const named = { kid, nonce, ancestors, subject: record?.subject ?? '', expiresAt: record?.expiresAt ?? 0 }
      const found = record === undefined ? undefined : await audit.find(id, signal)
      return {
        id,
        org,
        issuedAtMs: nonceTimeMs(nonce),
        recorded: record !== undefined,
        subject: record?.subject ?? null,
        expiresAt: record?.expiresAt ?? null,
        ...this.#judged(named),
        ancestors: ancestors.map(idOf),
        issued: found ?? null,
      }
    })
  }

  /** One page of the service tokens that were made from a token. Throws key_unknown, request_invalid. */
  async madeFrom(peer: KnownPeer, value: unknown, walker: Walker): Promise<MadeFromResult> {
    const { id, after, limit } = params(madeFromParams, value)
    const { kid, nonce } = parseTokenId(id)
    const { state, lineage, walks } = this.#options
    const { org } = requireKeyOf(peer, kid, state().keys)
    return walks.run(walker, (signal) =>
      lineage.madeFrom({ kid, nonce, keys: this.#keysOf(org), after, limit, signal }),
    )
  }

  /** The root keys of an org, retired ones included. */
  #keysOf(org: string): readonly Kid[] {
    return [...this.#options.state().keys].flatMap(([kid, key]) => (key.org === org ? [kid] : []))
  }

  #listed(token: TokenIdentifier): ListedToken {
    const { nonce, subject, expiresAt, ancestors } = token
    const { state } = this.#judged(token)
    const listed = { id: idOf(token), subject, issuedAtMs: nonceTimeMs(nonce), expiresAt, state }
    return ancestors.length === 0 ? listed : { ...listed, ancestors: ancestors.map(idOf) }
  }

  /** As a replica judges it: a revocation, of the token or of an ancestor, outweighs its expiry. */
  #judged(token: TokenIdentifier): Judged {
    const { state, clock } = this.#options
    const tables = tablesOf(state())
    const key = tables.key(token.kid)
    const refusal = key === undefined ? undefined : revocationStatus(token, key, tables)
    if (refusal !== undefined) return { state: refusal.reason as TokenState, why: refusal.message }
    const isExpired = token.expiresAt !== 0 && token.expiresAt * 1000 <= clock.wallMs()
    return isExpired ? { state: 'expired', why: 'it has expired' } : { state: 'live', why: null }
  }
}

function idOf({ kid, nonce }: TokenReference): string {
  return tokenId(kid, nonce)
}
