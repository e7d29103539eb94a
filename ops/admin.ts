/**
 * A call to a node's `admin` channel. Each use opens one connection and never retries, so a node that is down is reported at
 * once and not after a timeout of retries.
 */
import type { ChannelName } from '../shared/channel/channel-name.ts'
import { dial } from '../shared/channel/dial.ts'
import type { Identity } from '../shared/channel/identity.ts'
import { parsePeerId } from '../shared/channel/peer-id.ts'
import { RpcClient } from '../shared/channel/rpc-client.ts'
import type { Profile, ProfileNode } from '../shared/config/profile.ts'
import type { Host } from '../shared/service/host.ts'
import { KNOWS_CONFIGURED, KNOWS_SIGNED, KNOWS_UNREAD } from '../shared/protocol/known-revocations.ts'
import type { NodeStatus } from '../shared/protocol/status.ts'

/**
 * One call on the open connection. Throws the node's error. The result is `unknown` because it comes from another process: the
 * caller checks its shape, or states why it trusts the pinned node.
 */
export type AdminCall = (method: string, params: object) => Promise<unknown>

/** Runs `use` with a connection to that node, and closes the connection in every case. Throws the errors of `dial`. */
export type WithAdmin = <T>(node: ProfileNode, use: (call: AdminCall) => Promise<T>) => Promise<T>

/** The nodes that a profile names, and the way to call them. */
export interface RunningCluster extends Pick<Profile, 'cluster' | 'primary' | 'replicas'> {
  readonly admin: WithAdmin
}

/** The caller of admin calls: its identity, and the name of the cluster, which the handshake checks. */
export interface AdminCaller {
  readonly cluster: string
  readonly identity: Identity
  readonly host: Pick<Host, 'clock' | 'transport'>
}

/** Per call. A healthy node answers every admin call in milliseconds, so a longer wait only hides that a node hangs. */
const TIMEOUT_MS = 2_000

/**
 * Opens connections to the `admin` channel, or another one, of nodes whose PeerIds are pinned. A call waits at most TIMEOUT_MS.
 */
export function adminOver({ cluster, identity, host }: AdminCaller, channel: ChannelName = 'admin'): WithAdmin {
  const { clock, transport } = host
  return async (node, use) => {
    const peerId = parsePeerId(node.peer_id)
    const to = { address: node.address, peerId, identity, cluster, clock, transport }
    // A node sends a newer field of an answer only to a caller that lists it here, so that older callers keep working.
    const hello = { understands: [KNOWS_CONFIGURED, KNOWS_SIGNED, KNOWS_UNREAD] }
    const client = new RpcClient(await dial({ ...to, channel, hello }), { clock })
    try {
      return await use((method, params) => client.call(method, params, { timeoutMs: TIMEOUT_MS }))
    } finally {
      await client.close()
    }
  }
}

/** The status of one node. Throws the errors of `dial` and of the call. */
export async function statusOf(admin: WithAdmin, node: ProfileNode): Promise<NodeStatus> {
  // The answer comes from the pinned node; its shape is the protocol's.
  return admin(node, async (call) => (await call('status', {})) as NodeStatus)
}
