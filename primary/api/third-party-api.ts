/**
 * The calls that present tokens to get a discharge or a service token, and the operator's calls that register third parties.
 */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { RpcCaller } from '../../shared/channel/rpc-server.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { decodeBase64Url } from '../../shared/macaroon/base64url.ts'
import { decodeBundle } from '../../shared/macaroon/bundle.ts'
import { decodeIdentifier } from '../../shared/macaroon/identifier.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  dischargeParams,
  type DischargeResult,
  exchangeParams,
  type ExchangeResult,
  thirdPartyAddParams,
  type ThirdPartyAddResult,
  type ThirdPartyListResult,
  thirdPartyParams,
  type ThirdPartyRemoveResult,
} from '../../shared/protocol/sign.ts'
import type { Discharged, Exchanged, ThirdPartyAdded, ThirdPartyRemoved } from '../authority/commands.ts'
import { thirdPartyLocation } from '../authority/third-party.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import { actorOf, requireKeyOf, requireOperator } from './permissions.ts'

export interface ThirdPartyApiOptions {
  readonly writer: GroupWriter
  readonly serviceTtlSecondsMax: number
}

type Caller = Pick<RpcCaller, 'signal'>

export class ThirdPartyApi {
  readonly #writer: GroupWriter
  readonly #serviceTtlSecondsMax: number

  constructor({ writer, serviceTtlSecondsMax }: ThirdPartyApiOptions) {
    this.#writer = writer
    this.#serviceTtlSecondsMax = serviceTtlSecondsMax
  }

  /**
   * Checks no org of the caller: the discharge confirms what the presented tokens allow, and any holder may present them.
   * Throws ticket_invalid, discharge_refused, token_refused, clock_implausible.
   */
  async discharge(peer: KnownPeer, value: unknown, { signal }: Caller): Promise<DischargeResult> {
    const { ticket, tokens } = params(dischargeParams, value)
    const who = { actor: actorOf(peer), presenter: peer.id }
    const command = { kind: 'token.discharge', ...who, ticket: readTicket(ticket), tokens } as const
    const { answer, position } = await this.#writer.submit<Discharged>(command, signal)
    return { ...answer, position: positionText(position) }
  }

  /**
   * The caller must act for the org, because the service token outlives the login. Throws key_unknown if the caller may not;
   * token_refused, request_invalid, clock_implausible.
   */
  async exchange(peer: KnownPeer, value: unknown, { signal }: Caller): Promise<ExchangeResult> {
    const { token, strip, id, ticket, ttlSeconds } = params(exchangeParams, value)
    const [root] = decodeBundle(token)
    const { kid } = decodeIdentifier(root?.identifier ?? new Uint8Array())
    requireKeyOf(peer, kid, this.#writer.state.keys)
    const who = { actor: actorOf(peer), presenter: peer.id }
    const { answer, position } = await this.#writer.submit<Exchanged>(
      {
        kind: 'token.exchange',
        ...who,
        bundle: token,
        strip,
        id,
        ticket: readTicket(ticket),
        ttlSeconds,
        ttlSecondsMax: this.#serviceTtlSecondsMax,
      },
      signal,
    )
    return { ...answer, position: positionText(position) }
  }

  /** Throws permission_denied, third_party_exists, request_invalid. */
  async add(peer: KnownPeer, value: unknown): Promise<ThirdPartyAddResult> {
    const { name, unrevoked } = params(thirdPartyAddParams, value)
    requireOperator(peer, 'add third parties')
    const command = { kind: 'third-party.add', actor: actorOf(peer), name, unrevoked } as const
    const { answer, position } = await this.#writer.submit<ThirdPartyAdded>(command)
    return { ...answer, position: positionText(position) }
  }

  /** Throws permission_denied, third_party_missing. */
  async remove(peer: KnownPeer, value: unknown): Promise<ThirdPartyRemoveResult> {
    const { name } = params(thirdPartyParams, value)
    requireOperator(peer, 'remove third parties')
    const command = { kind: 'third-party.remove', actor: actorOf(peer), name } as const
    const { answer, position } = await this.#writer.submit<ThirdPartyRemoved>(command)
    return { ...answer, position: positionText(position) }
  }

  /** Open to every caller of `sign`, because the keys are public. */
  list(): ThirdPartyListResult {
    const { thirdParties, cluster } = this.#writer.state
    return {
      thirdParties: [...thirdParties.values()].map(({ name, publicKey, unrevoked, createdMs }) => ({
        name,
        location: thirdPartyLocation(cluster, name),
        publicKey: Buffer.from(publicKey).toString('hex'),
        unrevoked,
        createdMs,
      })),
    }
  }
}

/** The bytes of a ticket. Throws ticket_invalid. */
function readTicket(text: string): Uint8Array {
  const ticket = decodeBase64Url(text)
  if (ticket !== undefined) return ticket
  throw new MacaroondError('ticket_invalid', 'the ticket is not base64url without padding', {
    hint: 'a ticket is the caveat id of a third-party caveat, as `token inspect --json` prints it',
  })
}
