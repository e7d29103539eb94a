/** Opens a connection: TCP, Noise with the server pinned, hello, welcome. */
import { connect, type Socket } from 'node:net'
import { type Clock, systemClock } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import { parseAddress, remoteAddressOf } from './address.ts'
import { channelLimits, type ChannelLimits } from './channel-limits.ts'
import type { ChannelName } from './channel-name.ts'
import { type Connection, WelcomedConnection } from './connection.ts'
import { decodeWelcome, encodeHello } from './hello.ts'
import type { Identity } from './identity.ts'
import type { JsonObject } from './json.ts'
import { createNoise, secureOutbound } from './noise.ts'
import { SocketStream } from './socket-stream.ts'
import { Wire } from './wire.ts'

export interface DialOptions {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string
  /** The server's identity; nobody else is talked to. */
  readonly peerId: PeerIdText
  readonly identity: Identity
  readonly channel: ChannelName
  readonly cluster: string
  /** What this side says about itself; `HELLO_BYTES_MAX` at most, with everything around it. */
  readonly hello: JsonObject
  readonly signal?: AbortSignal
  readonly clock?: Clock
  readonly limits?: Partial<ChannelLimits>
}

/**
 * Throws connect_failed, connection_lost, timeout, handshake_failed, peer_mismatch, protocol_violation, closed (the
 * signal), request_invalid (address, or a hello that is too large), or whatever the server refused with.
 */
export async function dial(options: DialOptions): Promise<Connection> {
  const limits = channelLimits(options.limits)
  const hello = encodeHello(options.channel, options.hello)
  if (hello.byteLength > limits.helloBytesMax) throw helloTooLarge(hello.byteLength)
  const socket = await connectTcp(options, limits)
  const transport = new SocketStream(socket, 'outbound')
  const cancel = new AbortController()
  const stop = cancelAfter(cancel, limits.handshakeTimeoutMs, options.signal)
  cancel.signal.addEventListener('abort', () => transport.abort(asError(cancel.signal.reason)))
  try {
    return await introduce(options, {
      transport,
      hello,
      limits,
      signal: cancel.signal,
      address: remoteAddressOf(socket),
    })
  } catch (error) {
    const reason: unknown = cancel.signal.aborted ? cancel.signal.reason : error
    transport.abort(asError(reason))
    throw asError(reason)
  } finally {
    stop()
  }
}

interface Introduction {
  readonly transport: SocketStream
  readonly hello: Uint8Array
  readonly limits: ChannelLimits
  readonly signal: AbortSignal
  readonly address: string
}

async function introduce(options: DialOptions, to: Introduction): Promise<Connection> {
  const { transport, limits, signal } = to
  const encrypter = createNoise(options.identity, options.cluster)
  const { secure, remotePeer } = await secureOutbound(encrypter, transport, options.peerId, signal)
  const wire = new Wire({ secure, transport, clock: options.clock ?? systemClock, limits })
  wire.write(to.hello)
  const answer = await wire.next()
  if (answer === undefined) throw new MacaroondError('connection_lost', 'the server closed without an answer')
  const { software, fields } = decodeWelcome(answer)
  wire.welcome()
  return new WelcomedConnection(wire, {
    channel: options.channel,
    remotePeer,
    remoteAddress: to.address,
    remoteSoftware: software,
    hello: fields,
  })
}

function connectTcp(options: DialOptions, limits: ChannelLimits): Promise<Socket> {
  const { host, port } = parseAddress(options.address)
  const cancel = new AbortController()
  const socket = connect({ host, port, noDelay: true })
  const stop = cancelAfter(cancel, limits.connectTimeoutMs, options.signal)
  const connected = new Promise<Socket>((resolve, reject) => {
    cancel.signal.addEventListener('abort', () => socket.destroy(asError(cancel.signal.reason)))
    socket.once('connect', () => resolve(socket))
    socket.on('error', (cause) => reject(connectFailed(options.address, cause)))
    socket.once('close', () => reject(connectFailed(options.address, new Error('closed'))))
  })
  return connected.finally(stop)
}

/** Aborts after the time, or with the caller's signal; returns what ends the watch. */
function cancelAfter(cancel: AbortController, timeoutMs: number, signal: AbortSignal | undefined): () => void {
  const byCaller = (): void => cancel.abort(new MacaroondError('closed', 'the dial was called off'))
  const timer = setTimeout(() => {
    cancel.abort(new MacaroondError('timeout', `the server did not answer within ${timeoutMs} ms`))
  }, timeoutMs)
  signal?.addEventListener('abort', byCaller)
  if (signal?.aborted === true) byCaller()
  return () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', byCaller)
  }
}

function connectFailed(address: string, cause: Error): MacaroondError {
  if (cause instanceof MacaroondError && cause.code === 'closed') return cause
  return new MacaroondError('connect_failed', `cannot connect to ${address}: ${causeText(cause)}`, {
    hint: 'check that the node runs, that the address is right, and that no firewall is in between',
    cause,
  })
}

/** A name with several addresses fails with an AggregateError, whose message is empty. */
function causeText(cause: Error): string {
  if (cause.message !== '') return cause.message
  return 'code' in cause ? String(cause.code) : cause.name
}

function helloTooLarge(bytes: number): MacaroondError {
  return new MacaroondError('request_invalid', `a hello of ${bytes} bytes is too large`)
}

function asError(cause: unknown): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  return new MacaroondError('connection_lost', cause instanceof Error ? cause.message : 'the connection broke', {
    cause,
  })
}
