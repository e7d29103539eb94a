/** Asks every node of a profile for its status. A node that does not answer is part of the result, and no error. */
import type { Profile, ProfileNode } from '../../shared/config/profile.ts'
import { type ErrorReport, MacaroondError, reportOf } from '../../shared/errors.ts'
import type { NodeStatus, PrimaryStatus, ReplicaStatus } from '../../shared/protocol/status.ts'
import { askStatus } from '../clients.ts'

interface QueriedNode<Role extends NodeStatus['role']> {
  readonly role: Role
  /** Null for the primary. */
  readonly region: string | null
  readonly address: string
  readonly peerId: string
}

type Answered<S extends NodeStatus> = QueriedNode<S['role']> & { readonly reachable: true; readonly status: S }
type Silent<S extends NodeStatus> = QueriedNode<S['role']> & { readonly reachable: false; readonly error: ErrorReport }

/** A node of the profile, with its status or the reason why there is none. */
export type NodeAnswer<S extends NodeStatus = NodeStatus> = Answered<S> | Silent<S>

/** The answers of the nodes that a profile names. */
export interface ClusterAnswers {
  readonly primary: NodeAnswer<PrimaryStatus>
  readonly replicas: readonly NodeAnswer<ReplicaStatus>[]
}

/**
 * Asks all nodes at once, so that several silent nodes cost one timeout. Throws the errors of a bad identity file, and the
 * refusal if the nodes that answered refuse this caller: neither is an outage.
 */
export async function askNodes(profile: Profile): Promise<ClusterAnswers> {
  const { loadIdentity } = await import('../../shared/channel/identity.ts')
  await loadIdentity(profile.identity)
  const [primary, ...replicas] = await Promise.all([
    ask<PrimaryStatus>(profile, profile.primary, 'primary', null),
    ...profile.replicas.map((replica) => ask<ReplicaStatus>(profile, replica, 'replica', replica.region)),
  ])
  const answers: ClusterAnswers = { primary, replicas }
  const refusal = refusalIn([primary, ...replicas])
  if (refusal !== undefined) throw refusal
  return answers
}

async function ask<S extends NodeStatus>(
  profile: Profile,
  node: ProfileNode,
  role: S['role'],
  region: string | null,
): Promise<NodeAnswer<S>> {
  const asked: QueriedNode<S['role']> = { role, region, address: node.address, peerId: node.peer_id }
  try {
    // The node is pinned, and the profile says which role it has.
    return { ...asked, reachable: true, status: (await askStatus(profile, node)) as S }
  } catch (error) {
    return { ...asked, reachable: false, error: reportOf(error) }
  }
}

/** The refusal of this caller, if no node gave its status and one of them said that this caller may not have it. */
export function refusalIn(nodes: readonly NodeAnswer[]): MacaroondError | undefined {
  const silent = nodes.filter((node) => !node.reachable)
  if (silent.length < nodes.length) return undefined
  const refused = silent.find(({ error }) => error.code === 'peer_refused' || error.code === 'permission_denied')
  if (refused === undefined) return undefined
  const { role, region, address, error } = refused
  return new MacaroondError(
    error.code,
    `the ${role}${region === null ? '' : ` of ${region}`} at ${address}: ${error.message}`,
    {
      hint: error.hint ?? 'use a profile whose identity has the role operator',
    },
  )
}
