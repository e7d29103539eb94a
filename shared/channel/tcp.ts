/** The transport between machines: TCP, secured by Noise. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { MacaroondError } from '../errors.ts'
import { parseAddress, remoteAddressOf } from './address.ts'
import { createNoise, secureInbound, secureOutbound } from './noise.ts'
import { SocketStream } from './socket-stream.ts'
import type { LinkListener, LinkListenerOptions, Link, LinkTarget, Transport } from './transport.ts'

export const tcp: Transport = { connect: connectTcp, listen: listenTcp }

async function connectTcp(target: LinkTarget, signal: AbortSignal): Promise<Link> {
  const socket = await connected(target.address, signal)
  const carrier = new SocketStream(socket, 'outbound')
  const encrypter = createNoise(target.identity, target.cluster)
  return {
    carrier,
    remoteAddress: remoteAddressOf(socket),
    secure: (until) => secureOutbound(encrypter, carrier, target.peerId, until),
  }
}

function connected(address: string, signal: AbortSignal): Promise<Socket> {
  const { host, port } = parseAddress(address)
  const socket = connect({ host, port, noDelay: true })
  const cancel = (): void => void socket.destroy(signal.reason)
  const opened = new Promise<Socket>((resolve, reject) => {
    signal.addEventListener('abort', cancel)
    socket.once('connect', () => resolve(socket))
    socket.on('error', (cause) => reject(connectFailed(address, cause)))
    socket.once('close', () => reject(connectFailed(address, new Error('closed'))))
    if (signal.aborted) cancel()
  })
  return opened.finally(() => signal.removeEventListener('abort', cancel))
}

function connectFailed(address: string, cause: Error): MacaroondError {
  if (cause instanceof MacaroondError && cause.code === 'closed') return cause
  return new MacaroondError('connect_failed', `cannot connect to ${address}: ${causeText(cause)}`, {
    hint: 'check that the node runs, that the address is right, and that no firewall is in between',
    cause,
  })
}

/** Text of a failure. A host name with several addresses fails with an AggregateError, whose message is empty. */
function causeText(cause: Error): string {
  if (cause.message !== '') return cause.message
  return 'code' in cause ? String(cause.code) : cause.name
}

async function listenTcp({ address, identity, cluster, onLink, onError }: LinkListenerOptions): Promise<LinkListener> {
  const server = createServer({ noDelay: true })
  const encrypter = createNoise(identity, cluster)
  server.on('connection', (socket) => {
    const carrier = new SocketStream(socket, 'inbound')
    const remoteAddress = remoteAddressOf(socket)
    onLink({ carrier, remoteAddress, secure: (signal) => secureInbound(encrypter, carrier, signal) })
  })
  await bind(server, address)
  server.on('error', onError)
  return {
    get port(): number {
      const bound = server.address()
      return bound !== null && typeof bound === 'object' ? bound.port : 0
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function bind(server: Server, address: string): Promise<void> {
  const { host, port } = parseAddress(address)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', (cause) => reject(bindFailed(address, cause)))
  server.listen({ host, port }, () => resolve())
  return promise
}

function bindFailed(address: string, cause: Error): MacaroondError {
  if ('code' in cause && cause.code === 'EADDRINUSE') {
    return new MacaroondError('port_in_use', `${address} is in use`, {
      hint: 'another node may be running here; stop it, or listen on another port',
      cause,
    })
  }
  return new MacaroondError('io_failed', `cannot listen on ${address}: ${cause.message}`, { cause })
}
