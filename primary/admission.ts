/** Decides which peer may open which channel of the primary, and passes the connection to the part that serves it. */
import { Allowance } from '../shared/channel/allowance.ts'
import { CallTurns } from '../shared/service/call-turns.ts'
import type { Connection } from '../shared/channel/connection.ts'
import type { Acceptance } from '../shared/channel/inbound.ts'
import type { PeerRegistry } from '../shared/channel/peers.ts'
import { assert, reportOf } from '../shared/errors.ts'
import type { Host } from '../shared/service/host.ts'
import type { Claim, NodeAdmission } from '../shared/service/node-listener.ts'
import { SIGN_CALLS_IN_FLIGHT_MAX } from '../shared/limits.ts'
import type { CallKind } from '../shared/protocol/calls.ts'
import { notAReplica, noSuchChannel } from './api/refusals.ts'
import { serveCalls } from './api/serve.ts'
import type { Publisher } from './publisher/publisher.ts'

export interface PrimaryAdmissionOptions {
  readonly peers: PeerRegistry
  readonly publisher: Publisher
  readonly clock: Host['clock']
  /** Options for the calls of `sign` and `admin`, without the connection and its peer. */
  readonly calls: Omit<Parameters<typeof serveCalls>[0], 'connection' | 'peer' | 'allowance' | 'inTurn'>
}

export class PrimaryAdmission implements NodeAdmission {
  readonly #options: PrimaryAdmissionOptions
  readonly #allowance = new Allowance<CallKind>(SIGN_CALLS_IN_FLIGHT_MAX)
  readonly #turns: CallTurns

  constructor(options: PrimaryAdmissionOptions) {
    this.#options = options
    this.#turns = new CallTurns(options.clock)
  }

  /** Judges a connection before it is accepted: first the peer's role for the channel, then a replica's hello. */
  accept({ peer, channel, hello, address }: Claim): Acceptance {
    const { peers, publisher } = this.#options
    const admission = peers.admit(peer, channel, address)
    if (!admission.ok) return admission
    const ships = channel === 'wal' || channel === 'revocations'
    // Only a replica may open these channels: its acknowledgements open writes and make revocations durable, so an operator
    // must not be able to send them.
    if (ships && admission.peer?.role !== 'replica') return { ok: false, error: reportOf(notAReplica(channel)) }
    if (ships) return publisher.accept(channel, peer, hello)
    if (channel === 'sign' || channel === 'admin') return { ok: true, welcome: {} }
    return { ok: false, error: reportOf(noSuchChannel(channel)) }
  }

  /** Serves an accepted connection until it ends. */
  async serve(connection: Connection): Promise<void> {
    const { peers, publisher, calls } = this.#options
    if (!peers.track(connection)) return
    const peer = peers.find(connection.remotePeer)
    assert(peer !== undefined, 'a tracked peer is known')
    switch (connection.channel) {
      case 'wal':
      case 'revocations':
        return publisher.serve(connection.channel, peer.id, connection)
      default:
        return serveCalls({ ...calls, connection, peer, allowance: this.#allowance, inTurn: this.#turns.of(peer.id) })
    }
  }
}
