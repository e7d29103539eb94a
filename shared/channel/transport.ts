/**
 * The interface below a channel. `tcp.ts` implements it with TCP and Noise; the simulator implements it with a network inside
 * one process.
 */
import type { MessageStream } from '@libp2p/interface'
import type { PeerIdText } from '../ids.ts'
import type { Identity } from './identity.ts'
import type { SocketStream } from './socket-stream.ts'

/** The part of the encrypted stream that a wire uses. */
export type SecureStream = Pick<
  MessageStream,
  'addEventListener' | 'status' | 'send' | 'abort' | 'writeBufferLength' | 'writableNeedsDrain'
>

/** The part of the stream below the encryption that a wire uses. */
export type Carrier = Pick<
  SocketStream,
  | 'status'
  | 'firstByte'
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
  /** Proven by the handshake. */
  readonly remotePeer: PeerIdText
}

/** An open link whose other end has not proven its identity yet. */
export interface Link {
  readonly carrier: Carrier
  /** IP address of the other end, without port. */
  readonly remoteAddress: string
  /**
   * Runs the handshake, in which both ends prove their identity. Throws handshake_failed, peer_mismatch, connection_lost, or
   * the signal's reason.
   */
  readonly secure: (signal: AbortSignal) => Promise<SecuredStream>
}

/** The server to connect to, and the identity to connect with. */
export interface LinkTarget {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string
  /** The server's identity; any other server is refused. */
  readonly peerId: PeerIdText
  readonly identity: Identity
  readonly cluster: string
}

export interface LinkListenerOptions {
  /** `host:port`; with port 0 the system chooses. */
  readonly address: string
  readonly identity: Identity
  readonly cluster: string
  readonly onLink: (link: Link) => void
  readonly onError: (error: Error) => void
}

export interface LinkListener {
  readonly port: number
  /** Accepts no more links. Resolves when every accepted link is gone. */
  readonly close: () => Promise<void>
}

export interface Transport {
  /** Throws connect_failed, closed (the signal aborted), request_invalid (bad address). */
  readonly connect: (target: LinkTarget, signal: AbortSignal) => Promise<Link>
  /** Throws port_in_use, request_invalid (bad address), io_failed. */
  readonly listen: (options: LinkListenerOptions) => Promise<LinkListener>
}
