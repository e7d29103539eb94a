/** What is under a channel: TCP and Noise between machines, or the network of a simulation that runs a whole cluster in one process. */
import type { MessageStream } from '@libp2p/interface'
import type { PeerIdText } from '../ids.ts'
import type { Identity } from './identity.ts'
import type { SocketStream } from './socket-stream.ts'

/** What a wire uses of the encrypted stream. */
export type SecureStream = Pick<
  MessageStream,
  'addEventListener' | 'status' | 'send' | 'abort' | 'writeBufferLength' | 'writableNeedsDrain'
>

/** What is used of the stream that carries it. */
export type Carrier = Pick<
  SocketStream,
  | 'status'
  | 'spoken'
  | 'violation'
  | 'unsentBytes'
  | 'writeBufferLength'
  | 'limitReceived'
  | 'holdReading'
  | 'releaseReading'
  | 'abort'
  | 'close'
>

export interface SecuredStream {
  readonly secure: SecureStream
  /** Proven. */
  readonly remotePeer: PeerIdText
}

/** Open, and nobody has proven yet who is at the other end. */
export interface Link {
  readonly carrier: Carrier
  /** IP address of the other end, without port. */
  readonly remoteAddress: string
  /** Both ends prove who they are. Throws handshake_failed, peer_mismatch, connection_lost, or the signal's reason. */
  readonly secure: (signal: AbortSignal) => Promise<SecuredStream>
}

export interface LinkTarget {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string
  /** The server's identity; nobody else is talked to. */
  readonly peerId: PeerIdText
  readonly identity: Identity
  readonly cluster: string
}

export interface DoorOptions {
  /** `host:port`; with port 0 the system chooses. */
  readonly address: string
  readonly identity: Identity
  readonly cluster: string
  readonly onLink: (link: Link) => void
  readonly onError: (error: Error) => void
}

export interface Door {
  readonly port: number
  /** Takes no more; resolves when every link that came in is gone. */
  readonly close: () => Promise<void>
}

export interface Transport {
  /** Throws connect_failed, closed (the signal), request_invalid (address). */
  readonly connect: (target: LinkTarget, signal: AbortSignal) => Promise<Link>
  /** Throws port_in_use, request_invalid (address), io_failed. */
  readonly listen: (options: DoorOptions) => Promise<Door>
}
