/**
 * Alice's service with two methods, Get and Add. It accepts Noise connections itself, so it knows the caller's PeerId, and it
 * states that PeerId when it asks the replica of its region to verify the caller's token.
 */
import { createVerifier, type NodeAddress } from '../../../replica/worker/sdk.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { loadIdentity } from '../../../shared/channel/identity.ts'
import { listen } from '../../../shared/channel/listen.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import { silentLog } from '../../../shared/log.ts'
import { endWithParent, printLine } from '../shared/service.ts'

/** The settings that the story passes: this service's identity, and the replicas it may ask. */
interface Settings {
  readonly cluster: string
  readonly identity: string
  readonly replicas: readonly NodeAddress[]
}

const { cluster, identity, replicas } = JSON.parse(process.argv[2] ?? '{}') as Settings
const verifier = await createVerifier({ cluster, identity, replicas })
const own = await loadIdentity(identity)
let value = 0

const { address } = await listen({
  address: '127.0.0.1:0',
  identity: own,
  cluster,
  log: silentLog,
  accept: () => ({ ok: true, welcome: {} }),
  onConnection: serveMethods,
})
printLine({ address, peerId: own.peerId })
endWithParent()

/** Serves one caller. The PeerId is the one that the handshake proved, not one that the caller states. */
async function serveMethods(connection: Connection): Promise<void> {
  const method = (op: 'Get' | 'Add') => async (params: unknown) => {
    const { token } = params as { token: string }
    const verdict = await verifier.verify(token, { org: 'alice', op }, { peer: connection.remotePeer })
    if (!verdict.ok) return { refused: verdict.reason, caveat: verdict.caveat ?? '' }
    printLine({ op, presenter: connection.remotePeer, subject: verdict.subject, notes: verdict.notes })
    if (op === 'Add') value += 1
    return { value, notes: verdict.notes }
  }
  await serveRpc(connection, { methods: { Get: method('Get'), Add: method('Add') }, log: silentLog }).done
}
