/** Runs js-libp2p's Noise XX handshake on a socket, and translates its failures into our errors. */
import { noise } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, Upgrader } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import { HandshakeError } from './handshake-error.ts'
import type { Identity } from './identity.ts'
import { ed25519PeerId, parsePeerId } from './peer-id.ts'
import { prologueBytes } from './protocol-version.ts'
import { silentComponentLogger } from './silent-logger.ts'
import type { SocketStream } from './socket-stream.ts'
import type { SecuredStream } from './transport.ts'

const OTHER_CLUSTER = 'the other side names another cluster, or runs another version of the protocol'
const BROKEN_OFF = 'the other side broke off the handshake, or does not speak this protocol'

/**
 * The most bytes that a handshake message of a node has; it has about 200. The first two bytes of TLS, HTTP or any other text
 * announce more, so the answer of a balancer is never taken for a node of another cluster.
 */
const HANDSHAKE_MESSAGE_BYTES_MAX = 4_096

/** No stream muxer is negotiated, because one connection has one purpose. */
const noMuxers: Pick<Upgrader, 'getStreamMuxers'> = { getStreamMuxers: () => new Map() }

/** Creates the handshake for one identity and one cluster; the prologue binds it to cluster and version. */
export function createNoise(identity: Identity, cluster: string): ConnectionEncrypter {
  const { privateKey } = identity
  return noise({ prologueBytes: prologueBytes(cluster) })({
    peerId: peerIdFromPrivateKey(privateKey),
    privateKey,
    logger: silentComponentLogger,
    // The library calls only this method, and only if muxers are negotiated.
    upgrader: noMuxers as Upgrader,
  })
}

/** The dialer's side. The server must prove that it owns `peerId`; only then does the dialer send its own PeerId. */
export async function secureOutbound(
  encrypter: ConnectionEncrypter,
  transport: SocketStream,
  peerId: PeerIdText,
  signal: AbortSignal,
): Promise<SecuredStream> {
  const options = { remotePeer: ed25519PeerId(peerId), signal, skipStreamMuxerNegotiation: true }
  try {
    const { connection } = await encrypter.secureOutbound(transport, options)
    return { secure: connection, remotePeer: peerId }
  } catch (cause) {
    throw handshakeError(cause, transport, peerId)
  }
}

/** The server's side. `remotePeer` is proven; the caller decides what it may do. */
export async function secureInbound(
  encrypter: ConnectionEncrypter,
  transport: SocketStream,
  signal: AbortSignal,
): Promise<SecuredStream> {
  try {
    const options = { signal, skipStreamMuxerNegotiation: true }
    const { connection, remotePeer } = await encrypter.secureInbound(transport, options)
    return { secure: connection, remotePeer: ed25519Only(remotePeer?.toString() ?? '') }
  } catch (cause) {
    throw handshakeError(cause, transport, undefined)
  }
}

function ed25519Only(text: string): PeerIdText {
  try {
    return parsePeerId(text)
  } catch (cause) {
    throw failed('the peer is not identified by an Ed25519 key', cause)
  }
}

/** The library rejects with events as well as errors. This turns all of them into MacaroondErrors. */
function handshakeError(cause: unknown, transport: SocketStream, pinned: PeerIdText | undefined): MacaroondError {
  // We aborted the handshake ourselves, for example at a limit.
  if (cause instanceof MacaroondError) return cause
  const name = cause instanceof Error ? cause.name : ''
  const found = peerIdIn(cause, pinned)
  if (name === 'UnexpectedPeerError' && pinned !== undefined && found !== undefined) return mismatch(pinned, found)
  if (name === 'UnexpectedPeerError' || name === 'InvalidCryptoExchangeError') {
    return failed('the Noise handshake did not verify', cause)
  }
  if (isUndecrypted(cause) && isHandshakeMessage(transport)) {
    return new HandshakeError(OTHER_CLUSTER, { otherCluster: true, cause })
  }
  if (transport.receivedBytes > 0) return failed(BROKEN_OFF, cause)
  return new MacaroondError('connection_lost', 'the connection ended before the handshake did', { cause })
}

/** True if the other side took part in a Noise handshake, but mixed in another prologue: cluster and protocol version. */
function isUndecrypted(cause: unknown): boolean {
  return cause instanceof Error && cause.message.includes('decryption')
}

function isHandshakeMessage({ announcedBytes }: SocketStream): boolean {
  return announcedBytes !== undefined && announcedBytes <= HANDSHAKE_MESSAGE_BYTES_MAX
}

/** The library names the key it found only in the text of its error; a test fails if that changes. */
function peerIdIn(cause: unknown, pinned: PeerIdText | undefined): string | undefined {
  const text = cause instanceof Error ? cause.message : ''
  return text.match(/12D3Koo[1-9A-HJ-NP-Za-km-z]{45}/g)?.find((id) => id !== pinned)
}

function mismatch(pinned: PeerIdText, found: string): MacaroondError {
  return new MacaroondError('peer_mismatch', `expected ${pinned}, found ${found}`, {
    hint: 'either the address leads to another node, or the node was given a new identity: correct the configuration',
  })
}

function failed(what: string, cause: unknown): HandshakeError {
  return new HandshakeError(what, { otherCluster: false, cause })
}
