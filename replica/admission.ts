/** Decides which peer may open which channel of the replica, and serves the channel. */
import { Allowance } from '../shared/channel/allowance.ts'
import type { Connection } from '../shared/channel/connection.ts'
import { understands } from '../shared/channel/hello.ts'
import type { Acceptance } from '../shared/channel/inbound.ts'
import type { KnownPeer, PeerRegistry } from '../shared/channel/peers.ts'
import { type RpcMethod, type ServeOptions, serveRpc } from '../shared/channel/rpc-server.ts'
import { MacaroondError, reportOf } from '../shared/errors.ts'
import { GUEST_REQUESTS_IN_FLIGHT_MAX, REQUESTS_IN_FLIGHT_MAX, SIGN_CALLS_IN_FLIGHT_MAX } from '../shared/limits.ts'
import type { Log } from '../shared/log.ts'
import { KNOWS_AGE } from '../shared/protocol/verify.ts'
import { answerWhoami } from '../shared/service/whoami.ts'
import { CallTurns } from '../shared/service/call-turns.ts'
import type { Host } from '../shared/service/host.ts'
import type { Claim, NodeAdmission } from '../shared/service/node-listener.ts'
import { adminCalls, type AdminSources } from './admin-calls.ts'
import type { Feed } from './feed/feed.ts'
import { GuestGate } from './verify/guest-gate.ts'
import type { VerifyApi } from './verify/verify-api.ts'

/** All unlisted peers take turns as one peer. */
const GUESTS = 'guests'

export interface ReplicaAdmissionOptions {
  readonly peers: PeerRegistry
  readonly region: string
  readonly feed: Feed
  readonly verify: VerifyApi
  /** Serves unlisted peers (guests): their waiting calls take no place from those of listed peers. */
  readonly guestVerify: VerifyApi
  readonly admin: Omit<AdminSources, 'allowance'>
  readonly clock: Host['clock']
  readonly log: Log
}

export class ReplicaAdmission implements NodeAdmission {
  readonly #options: ReplicaAdmissionOptions
  readonly #guests: GuestGate
  readonly #turns: CallTurns
  readonly #allowance: AdminSources['allowance'] = new Allowance(SIGN_CALLS_IN_FLIGHT_MAX)

  constructor(options: ReplicaAdmissionOptions) {
    this.#options = options
    this.#guests = new GuestGate(options.clock)
    this.#turns = new CallTurns(options.clock)
  }

  accept({ peer, channel, hello, address }: Claim): Acceptance {
    const { peers, feed, region } = this.#options
    const admission = peers.admit(peer, channel, address)
    if (!admission.ok) return admission
    if (channel === 'feed') return feed.accept(hello)
    if (channel === 'verify' || channel === 'admin') return { ok: true, welcome: { region } }
    const error = new MacaroondError('peer_refused', `this node is a replica: it has no ${channel} channel`, {
      hint: 'writes go to the primary',
    })
    return { ok: false, error: reportOf(error) }
  }

  async serve(connection: Connection): Promise<void> {
    const { peers, feed } = this.#options
    if (!peers.track(connection)) return
    if (connection.channel === 'feed') return feed.serve(connection)
    return this.#serveCalls(connection, peers.find(connection.remotePeer))
  }

  /** `peer` is undefined for a guest. */
  #serveCalls(connection: Connection, peer: KnownPeer | undefined): Promise<void> {
    const { clock, log } = this.#options
    const served = { clock, log, inTurn: this.#turns.of(peer?.id ?? GUESTS) }
    if (connection.channel === 'verify')
      return serveRpc(connection, { ...served, ...this.#verifying(connection, peer) }).done
    const methods = adminCalls(connection, { ...this.#options.admin, allowance: this.#allowance })
    return serveRpc(connection, { ...served, methods }).done
  }

  #verifying(connection: Connection, peer: KnownPeer | undefined): Pick<ServeOptions, 'methods' | 'inFlightMax'> {
    const { verify, guestVerify, region } = this.#options
    const whoami: RpcMethod = () => answerWhoami(connection.remotePeer, peer, { node: 'replica', region })
    if (peer !== undefined)
      return { methods: { ...callsOf(verify, connection), whoami }, inFlightMax: REQUESTS_IN_FLIGHT_MAX }
    const methods = this.#guests.guarded({ ...callsOf(guestVerify, connection), whoami })
    return { methods, inFlightMax: GUEST_REQUESTS_IN_FLIGHT_MAX }
  }
}

/** The calls for one connection. A verdict has the age of the state only if the caller's hello says that it reads it. */
function callsOf(api: VerifyApi, { hello }: Connection): Record<string, RpcMethod> {
  const options = { withAge: understands(hello, KNOWS_AGE) }
  return { verify: (value) => api.verify(value, options), explain: (value) => api.explain(value) }
}
