/** The calls of the `sign` channel. Each checks its parameters, then the caller's orgs, then asks the authority. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { IssuedLog } from '../../shared/database/issued-log.ts'
import type { Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { REVOKE_DURABLE_TIMEOUT_MS } from '../../shared/limits.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  mintParams,
  orgCreateParams,
  revocationsParams,
  revokeParams,
  type MintResult,
  type OrgCreateResult,
  type OrgListResult,
  type RevocationsResult,
  type RevokeResult,
} from '../../shared/protocol/sign.ts'
import type { Minted, OrgCreated, Revoked } from '../authority/commands.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { Acknowledgements } from '../publisher/acknowledgements.ts'
import type { RevocationBook } from '../store/revocation-book.ts'
import { nameToken } from './named-token.ts'
import { requireSettled } from './acknowledgeable.ts'
import { actorOf, mayActFor, requireKeyOf, requireOrg } from './permissions.ts'

export interface SigningApiOptions {
  readonly writer: GroupWriter
  readonly issued: IssuedLog
  readonly revocations: RevocationBook
  readonly acknowledgements: Acknowledgements
  /** Whether a replica is configured: then a durable revocation is on one's disk as well. */
  readonly hasReplicas: () => boolean
  readonly clock: Pick<Timers, 'after'>
}

export class SigningApi {
  readonly #options: SigningApiOptions

  constructor(options: SigningApiOptions) {
    this.#options = options
  }

  async createOrg(peer: KnownPeer, value: unknown): Promise<OrgCreateResult> {
    const { name } = params(orgCreateParams, value)
    requireOrg(peer, name)
    const command = { kind: 'org.create', actor: actorOf(peer), name } as const
    const { answer, position } = await this.#options.writer.submit<OrgCreated>(command)
    return { ...answer, position: positionText(position) }
  }

  /** Only the orgs that the caller may act for. */
  listOrgs(peer: KnownPeer): OrgListResult {
    const { orgs, keys } = this.#options.writer.state
    const visible = [...orgs.values()].filter((org) => mayActFor(peer, org.name))
    return {
      orgs: visible.map(({ name, state, createdMs }) => {
        const own = [...keys.values()].filter((key) => key.org === name)
        return {
          name,
          state,
          createdMs,
          keys: own.map(({ kid, generation, state: of }) => ({ kid, generation, state: of })),
        }
      }),
    }
  }

  async mint(peer: KnownPeer, value: unknown): Promise<MintResult> {
    const request = params(mintParams, value)
    requireOrg(peer, request.org)
    const command = { kind: 'token.mint', actor: actorOf(peer), ...request } as const
    const { answer, position } = await this.#options.writer.submit<Minted>(command)
    return { ...answer, position: positionText(position) }
  }

  async revoke(peer: KnownPeer, value: unknown): Promise<RevokeResult> {
    const request = params(revokeParams, value)
    const { writer, issued } = this.#options
    const named = nameToken(request, { issued, requireKey: (kid) => requireKeyOf(peer, kid, writer.state.keys) })
    const command = { kind: 'token.revoke', actor: actorOf(peer), reason: request.reason, ...named } as const
    const { answer, position } = await writer.submit<Revoked>(command)
    requireSettled(writer.state, answer.seq)
    const waits = request.wait !== 'local' && this.#options.hasReplicas()
    if (waits) await this.#untilDurable(answer)
    return { ...answer, durability: waits ? 'replica' : 'local', position: positionText(position) }
  }

  listRevocations(peer: KnownPeer, value: unknown): RevocationsResult {
    const { org, after, limit } = params(revocationsParams, value)
    if (org !== undefined) requireOrg(peer, org)
    const visible = (name: string): boolean => (org === undefined || name === org) && mayActFor(peer, name)
    return this.#options.revocations.list({ after, limit, visible })
  }

  async #untilDurable({ seq }: Revoked): Promise<void> {
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
