/** The calls that revoke. Each checks its parameters, then the caller's orgs, then asks the authority. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { Clock, Timers } from '../../shared/clock.ts'
import type { IssuedLog } from '../../shared/database/issued-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { type Kid, kid as asKid } from '../../shared/ids.ts'
import { REVOKE_DURABLE_TIMEOUT_MS } from '../../shared/limits.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  disableOrgParams,
  type KeyRetired,
  type OrgDisabled,
  type OrgRevoked,
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
import type { AuthorityState } from '../authority/state.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { Acknowledgements } from '../publisher/acknowledgements.ts'
import type { TokensOnRecord, Wanted } from '../store/tokens-on-record.ts'
import { requireSettled } from './acknowledgeable.ts'
import { nameToken } from './named-token.ts'
import { actorOf, requireKeyOf, requireOrg } from './permissions.ts'
import { requestName } from './request-name.ts'

export interface RevokingApiOptions {
  readonly writer: GroupWriter
  readonly issued: IssuedLog
  readonly onRecord: TokensOnRecord
  readonly acknowledgements: Acknowledgements
  /** Whether a replica is configured: then a durable revocation is on one's disk as well. */
  readonly hasReplicas: () => boolean
  readonly clock: Pick<Clock, 'wallMs'> & Pick<Timers, 'after'>
}

export class RevokingApi {
  readonly #options: RevokingApiOptions

  constructor(options: RevokingApiOptions) {
    this.#options = options
  }

  async revokeToken(peer: KnownPeer, value: unknown): Promise<RevokeResult<TokenRevoked>> {
    const { wait, requestId, reason, ...asked } = params(revokeTokenParams, value)
    const { issued } = this.#options
    const named = nameToken(asked, { issued, requireKey: (kid) => requireKeyOf(peer, kid, this.#state.keys) })
    const request = requestName(peer, requestId, ['token.revoke', named.kid, named.nonce, reason])
    const command = { kind: 'token.revoke', actor: actorOf(peer), reason, request, ...named } as const
    return this.#carryOut<TokenRevoked>(command, wait)
  }

  /** Of an org, or of a subject of it, up to a time. */
  async revokeIssued(peer: KnownPeer, value: unknown): Promise<RevokeResult<SubjectRevoked | OrgRevoked>> {
    const { wait, requestId, reason, ...asked } = params(revokeIssuedParams, value)
    const { org, subject, untilMs } = asked
    requireOrg(peer, org)
    const tokens = await this.#count({ ...asked, kids: this.#kidsOf(org) })
    const request = requestName(peer, requestId, ['issued.revoke', org, subject ?? null, untilMs ?? null, reason])
    const what = { org, subject, untilMs, reason, request, tokens }
    return this.#carryOut({ kind: 'issued.revoke', actor: actorOf(peer), ...what }, wait)
  }

  async retireKey(peer: KnownPeer, value: unknown): Promise<RevokeResult<KeyRetired>> {
    const { wait, requestId, reason, org, kid: named } = params(retireKeyParams, value)
    requireOrg(peer, org)
    const request = requestName(peer, requestId, ['key.retire', org, named ?? null, reason])
    const kid = this.#keyToRetire(org, named, request?.id)
    const tokens = await this.#count({ kids: new Set([kid]) })
    return this.#carryOut({ kind: 'key.retire', actor: actorOf(peer), org, kid, reason, request, tokens }, wait)
  }

  async disableOrg(peer: KnownPeer, value: unknown): Promise<RevokeResult<OrgDisabled>> {
    const { wait, requestId, reason, org } = params(disableOrgParams, value)
    requireOrg(peer, org)
    const tokens = await this.#count({ kids: this.#kidsOf(org) })
    const request = requestName(peer, requestId, ['org.disable', org, reason])
    return this.#carryOut({ kind: 'org.disable', actor: actorOf(peer), org, reason, request, tokens }, wait)
  }

  get #state(): AuthorityState {
    return this.#options.writer.state
  }

  #count(wanted: Wanted): ReturnType<TokensOnRecord['count']> {
    return this.#options.onRecord.count(wanted, this.#options.clock.wallMs())
  }

  #kidsOf(org: string): ReadonlySet<Kid> {
    return new Set([...this.#state.keys.values()].filter((key) => key.org === org).map(({ kid }) => kid))
  }

  /** Which key is meant where none is named. Throws request_invalid, and names those that there are. */
  #keyToRetire(org: string, named: string | undefined, requestId: string | undefined): Kid {
    if (named !== undefined) return asKid(named)
    const { keys, orgs, requests } = this.#state
    const mints = orgs.get(org)?.activeKid
    // A request that was carried out is answered again, although the key that it meant is retired now.
    const recalled = requests.get(requestId ?? '')
    if (recalled !== undefined) return (JSON.parse(recalled.answer) as KeyRetired).kid as Kid
    const old = [...keys.values()].filter((key) => key.org === org && key.state === 'active' && key.kid !== mints)
    const [only, another] = old
    if (only !== undefined && another === undefined) return only.kid
    const what =
      only === undefined
        ? `org ${org} has no active key but the one that mints, ${mints ?? 'and not even that'}`
        : `org ${org} has several older keys: ${old.map(({ kid }) => kid).join(', ')}`
    throw new MacaroondError('request_invalid', what, {
      hint: 'name the key; retiring the one that mints ends all tokens of the org until `macaroond org rotate-key`',
    })
  }

  async #carryOut<T extends RevokeAnswer>(command: Command, wait: RevokeCommon['wait']): Promise<RevokeResult<T>> {
    const { writer, hasReplicas } = this.#options
    const { answer, position } = await writer.submit<T>(command)
    requireSettled(writer.state, answer.seq)
    const waits = wait !== 'local' && hasReplicas()
    if (waits) await this.#untilDurable(answer.seq)
    return { ...answer, durability: waits ? 'replica' : 'local', position: positionText(position) }
  }

  async #untilDurable(seq: number): Promise<void> {
    const { acknowledgements, clock } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = acknowledgements.wait(seq, resolve)
    const callOff = clock.after(REVOKE_DURABLE_TIMEOUT_MS, () => reject(notDurable(seq)))
    await promise.finally(() => {
      stop()
      callOff()
    })
  }
}

function notDurable(seq: number): MacaroondError {
  return new MacaroondError(
    'position_unreached',
    `revocation ${seq} is on the primary's disk, but no replica has confirmed it within ${REVOKE_DURABLE_TIMEOUT_MS} ms`,
    { hint: 'it will be sent as soon as a replica is there; ask again, or use --wait local to accept that' },
  )
}
