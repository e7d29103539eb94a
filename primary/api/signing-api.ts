/** The calls on orgs, keys and mints. Each checks its parameters, then the caller's orgs, then submits a command. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { RpcCaller } from '../../shared/channel/rpc-server.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import {
  mintParams,
  orgCreateParams,
  orgListParams,
  rotateKeyParams,
  type MintResult,
  type OrgCreateResult,
  type OrgListPage,
  type RotateKeyResult,
} from '../../shared/protocol/sign.ts'
import type { KeyRotated, Minted, OrgCreated } from '../authority/commands.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import { pageOfOrgs } from './list-orgs.ts'
import { actorOf, mayActFor, requireOrg } from './permissions.ts'
import { requestName } from './request-name.ts'

export class SigningApi {
  readonly #writer: GroupWriter

  constructor(writer: GroupWriter) {
    this.#writer = writer
  }

  /** Throws permission_denied, org_exists, org_disabled, kek_wrong. */
  async createOrg(peer: KnownPeer, value: unknown): Promise<OrgCreateResult> {
    const { name } = params(orgCreateParams, value)
    requireOrg(peer, name)
    const command = { kind: 'org.create', actor: actorOf(peer), name } as const
    const { answer, position } = await this.#writer.submit<OrgCreated>(command)
    return { ...answer, position: positionText(position) }
  }

  /** Lists a page of the orgs that the caller may act for. Throws request_invalid. */
  listOrgs(peer: KnownPeer, value: unknown): OrgListPage {
    const { after } = params(orgListParams, value)
    const page = pageOfOrgs(this.#writer.state, (name) => mayActFor(peer, name), after ?? null)
    // An older caller would take the first page for all orgs.
    if (after === undefined && page.next !== null) throw tooMany()
    return page
  }

  /**
   * Mints no token if the caller has disconnected, because only the answer holds the token. Throws permission_denied, and what
   * the authority's `mint` throws.
   */
  async mint(peer: KnownPeer, value: unknown, { signal }: Pick<RpcCaller, 'signal'>): Promise<MintResult> {
    const request = params(mintParams, value)
    requireOrg(peer, request.org)
    const command = { kind: 'token.mint', actor: actorOf(peer), ...request } as const
    const { answer, position } = await this.#writer.submit<Minted>(command, signal)
    return { ...answer, position: positionText(position) }
  }

  /**
   * The new key mints from now on. Tokens of the previous key stay good until that key is retired. Throws permission_denied,
   * org_unknown, org_disabled, request_conflict.
   */
  async rotateKey(peer: KnownPeer, value: unknown): Promise<RotateKeyResult> {
    const { org, requestId } = params(rotateKeyParams, value)
    requireOrg(peer, org)
    const request = requestName(peer, requestId, ['key.rotate', org])
    const command = { kind: 'key.rotate', actor: actorOf(peer), org, request } as const
    const { answer, position } = await this.#writer.submit<KeyRotated>(command)
    return { ...answer, position: positionText(position) }
  }
}

function tooMany(): MacaroondError {
  return new MacaroondError('request_invalid', 'there are more orgs and keys than one answer holds', {
    hint: 'list them with a newer macaroond, which reads several answers',
  })
}
