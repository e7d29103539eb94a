/** Accepts connections for a node: its admission judges each claim, and serves the connections that it accepts. */
import type { ChannelName } from '../channel/channel-name.ts'
import type { Connection } from '../channel/connection.ts'
import type { Identity } from '../channel/identity.ts'
import type { Acceptance } from '../channel/inbound.ts'
import type { JsonObject } from '../channel/json.ts'
import { listen, type Listener } from '../channel/listen.ts'
import type { PeerIdText } from '../ids.ts'
import type { Log } from '../log.ts'
import type { Host } from './host.ts'

/** A peer that wants to open a channel. */
export interface Claim {
  readonly peer: PeerIdText
  readonly channel: ChannelName
  readonly hello: JsonObject
  /** `host:port` it dials from. */
  readonly address: string
}

/** The part of a node that decides about peers and serves them. */
export interface NodeAdmission {
  readonly accept: (claim: Claim) => Acceptance
  /** Resolves when the connection has ended. */
  readonly serve: (connection: Connection) => Promise<void>
}

export interface NodeListenerOptions {
  readonly config: { readonly listen: string; readonly cluster: string }
  readonly identity: Identity
  readonly log: Log
}

/** Starts listening. Throws port_in_use, request_invalid (bad address) or io_failed. */
export function listenAsNode(
  admission: NodeAdmission,
  { config, identity, log }: NodeListenerOptions,
  { clock, transport }: Pick<Host, 'clock' | 'transport'>,
): Promise<Listener> {
  return listen({
    address: config.listen,
    identity,
    cluster: config.cluster,
    log,
    accept: (peer, channel, hello, address) => admission.accept({ peer, channel, hello, address }),
    onConnection: (connection) => admission.serve(connection),
    onRefusal: ({ remotePeer, channel, error }) => log.debug({ remotePeer, channel, code: error.code }, 'peer refused'),
    clock,
    transport,
  })
}
