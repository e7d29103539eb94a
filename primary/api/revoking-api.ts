/**
 * The calls that revoke. Each checks its parameters, then the caller's orgs, then submits a command, and answers once the
 * revocation is as durable as the caller requested.
 */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { type Kid, kid as asKid } from '../../shared/ids.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  disableOrgParams,
  NOT_COUNTED,
  type KeyRetired,
  type OrgDisabled,
  type OrgRevoked,
  type Reached,
  retireKeyParams,
  revokeIssuedParams,
  type RevokeAnswer,
  type RevokeCommon,
  type RevokeResult,
  revokeTokenParams,
  type SubjectRevoked,
  type TokenRevoked,
} from '../../shared/protocol/revoke.ts'
import type { Command } from '../authority/commands.ts'
import { olderKey } from '../authority/org.ts'
import type { AuthorityState } from '../authority/state.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { Durability } from '../durability/durability.ts'
import { requireSettled } from './require-settled.ts'
import { resolveNamedToken } from './named-token.ts'
import { actorOf, requireKeyOf, requireOrg } from './permissions.ts'
import { requestName } from './request-name.ts'

export interface RevokingApiOptions {
  readonly writer: GroupWriter
  readonly durability: Durability
}

export class RevokingApi {
  readonly #options: RevokingApiOptions

  constructor(options: RevokingApiOptions) {
    this.#options = options
  }

  /** Revokes one token, named by itself or by its id. Throws key_unknown, request_invalid, overloaded, request_conflict. */
  async revokeToken(peer: KnownPeer, value: unknown): Promise<RevokeResult<TokenRevoked>> {
    const { wait, requestId, reason, ...asked } = params(revokeTokenParams, value)
    const named = resolveNamedToken(asked, { requireKey: (kid) => requireKeyOf(peer, kid, this.#state.keys) })
    const request = requestName(peer, requestId, ['token.revoke', named.kid, named.nonce, reason])
    const command = { kind: 'token.revoke', actor: actorOf(peer), reason, request, ...named } as const
    return this.#carryOut<TokenRevoked>(command, wait)
  }

  /**
   * Revokes what was issued to an org, or to one subject of it, up to a time. Throws permission_denied, org_unknown,
   * request_invalid, request_conflict.
   */
  async revokeIssued(peer: KnownPeer, value: unknown): Promise<RevokeResult<SubjectRevoked | OrgRevoked>> {
    const { wait, requestId, reason, ...asked } = params(revokeIssuedParams, value)
    const { org, subject, untilMs } = asked
    requireOrg(peer, org)
    const request = requestName(peer, requestId, ['issued.revoke', org, subject ?? null, untilMs ?? null, reason])
    const what = { org, subject, untilMs, reason, request }
    return this.#carryOut({ kind: 'issued.revoke', actor: actorOf(peer), ...what }, wait)
  }

  /** Revokes every token of a root key. Throws permission_denied, org_unknown, key_unknown, request_invalid. */
  async retireKey(peer: KnownPeer, value: unknown): Promise<RevokeResult<KeyRetired>> {
    const { wait, requestId, reason, org, kid: named } = params(retireKeyParams, value)
    requireOrg(peer, org)
    const request = requestName(peer, requestId, ['key.retire', org, named ?? null, reason])
    const kid = this.#keyToRetire(org, named, request?.id)
    const what = { org, kid, unnamed: named === undefined, reason, request }
    return this.#carryOut({ kind: 'key.retire', actor: actorOf(peer), ...what }, wait)
  }

  /** Revokes every token of an org, for ever. Throws permission_denied, org_unknown, request_conflict. */
  async disableOrg(peer: KnownPeer, value: unknown): Promise<RevokeResult<OrgDisabled>> {
    const { wait, requestId, reason, org } = params(disableOrgParams, value)
    requireOrg(peer, org)
    const request = requestName(peer, requestId, ['org.disable', org, reason])
    return this.#carryOut({ kind: 'org.disable', actor: actorOf(peer), org, reason, request }, wait)
  }

  get #state(): AuthorityState {
    return this.#options.writer.state
  }

  /** The key to retire if the caller names none. The command checks the choice again when it runs. */
  #keyToRetire(org: string, named: string | undefined, requestId: string | undefined): Kid {
    if (named !== undefined) return asKid(named)
    // A repeated request names the key that its first answer retired.
    const recalled = this.#state.requests.get(requestId ?? '')
    if (recalled !== undefined) return (JSON.parse(recalled.answer) as KeyRetired).kid as Kid
    return olderKey(this.#state, org)
  }

  /** Throws epoch_unsettled, position_unreached, and what the writer throws. */
  async #carryOut<T extends RevokeAnswer>(command: Command, wait: RevokeCommon['wait']): Promise<RevokeResult<T>> {
    const { writer, durability } = this.#options
    const { answer, position } = await writer.submit<T>(command)
    // The row is written. The answer would acknowledge it, so it must wait until the epoch has settled.
    requireSettled(writer.state, answer.seq)
    const reached = wait === 'local' ? LOCAL : await durability.reach(answer.seq, position)
    const tokens = answer.kind === 'token' ? {} : { tokens: NOT_COUNTED }
    return { ...answer, ...tokens, ...reached, position: positionText(position) }
  }
}

const LOCAL: Reached = { durability: 'local' }
