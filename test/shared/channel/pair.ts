/** Two real ends on loopback, and the ways to misbehave on the wire. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach } from 'vitest'
import type { ChannelName } from '../../../shared/channel/channel-name.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { dial, type DialOptions } from '../../../shared/channel/dial.ts'
import { frame } from '../../../shared/channel/framing.ts'
import { encodeHello } from '../../../shared/channel/hello.ts'
import { identityFromSeed, type Identity } from '../../../shared/channel/identity.ts'
import { type Listener, listen, type ListenOptions, type Refusal } from '../../../shared/channel/listen.ts'
import { createNoise, secureOutbound } from '../../../shared/channel/noise.ts'
import { SocketStream } from '../../../shared/channel/socket-stream.ts'
import type { SecureStream } from '../../../shared/channel/transport.ts'
import { silentLog } from '../../../shared/log.ts'

export const serverIdentity: Identity = await identityFromSeed(Buffer.alloc(32, 1))
export const clientIdentity: Identity = await identityFromSeed(Buffer.alloc(32, 2))
export const strangerIdentity: Identity = await identityFromSeed(Buffer.alloc(32, 3))

const cleanups: (() => unknown)[] = []

/** Runs after the test, last first, whatever the test did. */
export function cleanup(action: () => unknown): void {
  cleanups.push(action)
}

afterEach(async () => {
  for (const action of cleanups.splice(0).reverse()) await action()
})

export interface Server {
  readonly listener: Listener
  readonly refusals: Refusal[]
  /** The next connection that was welcomed. */
  readonly accepted: () => Promise<Connection>
}

export async function serve(options: Partial<ListenOptions> = {}): Promise<Server> {
  const waiting: Connection[] = []
  const takers: ((connection: Connection) => void)[] = []
  const refusals: Refusal[] = []
  const listener = await listen({
    address: '127.0.0.1:0',
    identity: serverIdentity,
    cluster: 'test',
    accept: () => ({ ok: true, welcome: {} }),
    onConnection: (connection) => {
      const take = takers.shift()
      if (take === undefined) waiting.push(connection)
      else take(connection)
    },
    onRefusal: (refusal) => refusals.push(refusal),
    log: silentLog,
    ...options,
  })
  cleanup(async () => {
    for (const connection of listener.connections()) connection.abort(new Error('the test is over'))
    await listener.close()
  })
  const accepted = async (): Promise<Connection> =>
    waiting.shift() ?? (await new Promise<Connection>((resolve) => takers.push(resolve)))
  return { listener, refusals, accepted }
}

export async function dialTo(
  listener: Pick<Listener, 'address'>,
  options: Partial<DialOptions> = {},
): Promise<Connection> {
  const connection = await dial({
    address: listener.address,
    peerId: serverIdentity.peerId,
    identity: clientIdentity,
    channel: 'verify',
    cluster: 'test',
    hello: {},
    ...options,
  })
  cleanup(() => connection.abort(new Error('the test is over')))
  return connection
}

export interface Pair {
  readonly server: Server
  readonly near: Connection
  readonly far: Connection
}

/** `near` dialed, `far` was accepted. */
export async function pair(listening: Partial<ListenOptions> = {}, dialing: Partial<DialOptions> = {}): Promise<Pair> {
  const server = await serve(listening)
  const near = await dialTo(server.listener, dialing)
  return { server, near, far: await server.accepted() }
}

export async function rawSocket(listener: Listener): Promise<Socket> {
  const socket = connect(listener.port, '127.0.0.1')
  socket.on('error', () => undefined)
  cleanup(() => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

export interface RawPeer {
  readonly socket: Socket
  readonly secure: SecureStream
}

/** A peer with a valid key that has finished the Noise handshake and sends whatever the test wants. */
export async function rawPeer(listener: Listener, identity: Identity = clientIdentity): Promise<RawPeer> {
  const socket = await rawSocket(listener)
  const transport = new SocketStream(socket, 'outbound')
  const signal = AbortSignal.timeout(10_000)
  const { secure } = await secureOutbound(createNoise(identity, 'test'), transport, serverIdentity.peerId, signal)
  // Without a reader the answers would pile up in the stream.
  secure.addEventListener('message', () => undefined)
  return { socket, secure }
}

/** As `rawPeer`, and the server has welcomed it. */
export async function rawWelcomed(
  server: Server,
  channel: ChannelName = 'verify',
): Promise<RawPeer & { far: Connection }> {
  const peer = await rawPeer(server.listener)
  peer.secure.send(frame(encodeHello(channel, {})))
  return { ...peer, far: await server.accepted() }
}

/** Polls; fails by the test's own time limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5)
}

export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('expected a rejection')
}

export async function collect(messages: AsyncIterable<Uint8Array>): Promise<Buffer[]> {
  const all: Buffer[] = []
  for await (const message of messages) all.push(Buffer.from(message))
  return all
}

export interface Impostor {
  readonly address: string
  readonly close: () => Promise<void>
}

/** A server that does with sockets what the test wants. */
export async function impostor(onSocket: (socket: Socket) => void): Promise<Impostor> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).resume()
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
  cleanup(() => server.close())
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}
