/** Takes connections in: every socket either becomes a welcomed connection or is gone after the handshake timeout. */
import { createServer, type Server, type Socket } from 'node:net'
import type { ConnectionEncrypter } from '@libp2p/interface'
import { type Clock, systemClock } from '../clock.ts'
import { fromReport, MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import type { Log } from '../log.ts'
import { addressText, parseAddress, remoteAddressOf } from './address.ts'
import { channelLimits, type ChannelLimits } from './channel-limits.ts'
import type { ChannelName } from './channel-name.ts'
import type { Connection } from './connection.ts'
import { ConnectionTable } from './connection-table.ts'
import type { Identity } from './identity.ts'
import { type Accept, type Acceptance, type Progress, receive } from './inbound.ts'
import { createNoise } from './noise.ts'
import { SocketStream } from './socket-stream.ts'
import { Turns } from './turns.ts'
import { UnfinishedHandshakes } from './unfinished-handshakes.ts'

export interface ListenOptions {
  /** `host:port`; with port 0 the system chooses. */
  readonly address: string
  readonly identity: Identity
  readonly cluster: string
  readonly accept: Accept
  /** Called for each connection after its welcome was sent. */
  readonly onConnection: (connection: Connection) => void | Promise<void>
  /** Called for each socket that did not become a connection; under a flood often, so count rather than log. */
  readonly onRefusal?: (refusal: Refusal) => void
  readonly log: Log
  readonly clock?: Clock
  readonly limits?: Partial<ChannelLimits>
}

export interface Refusal {
  readonly remoteAddress: string
  readonly remotePeer: PeerIdText | undefined
  readonly channel: ChannelName | undefined
  readonly error: MacaroondError
}

export interface Listener {
  /** `host:port` as bound. */
  readonly address: string
  readonly port: number
  connections(): readonly Connection[]
  /** Connections that were not welcomed yet. */
  unfinished(): number
  /** Takes no more, closes what there is; resolves when every socket is gone. */
  close(): Promise<void>
}

/** Throws port_in_use, request_invalid (address) or io_failed. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const server = createServer({ noDelay: true })
  const listener = new ChannelListener(server, options)
  await bind(server, options.address)
  server.on('error', (error) => options.log.error({ err: error }, 'listening failed'))
  return listener
}

class ChannelListener implements Listener {
  readonly #server: Server
  readonly #options: ListenOptions
  readonly #limits: ChannelLimits
  readonly #encrypter: ConnectionEncrypter
  readonly #unfinished: UnfinishedHandshakes
  /** Under a storm of dialers handshakes come one after the other, and what is connected is served between them. */
  readonly #turns: Turns
  readonly #table: ConnectionTable
  #closing: Promise<void> | undefined

  constructor(server: Server, options: ListenOptions) {
    this.#server = server
    this.#options = options
    this.#limits = channelLimits(options.limits)
    this.#encrypter = createNoise(options.identity, options.cluster)
    this.#unfinished = new UnfinishedHandshakes({
      countMax: this.#limits.handshakesUnfinishedMax,
      timeoutMs: this.#limits.handshakeTimeoutMs,
    })
    this.#turns = new Turns({
      perSecond: this.#limits.handshakesASecondMax,
      atOnce: this.#limits.handshakesAtOnceMax,
      clock: options.clock ?? systemClock,
    })
    this.#table = new ConnectionTable(this.#limits)
    server.on('connection', (socket) => void this.#admit(socket))
  }

  get address(): string {
    return addressText({ host: parseAddress(this.#options.address).host, port: this.port })
  }

  get port(): number {
    const bound = this.#server.address()
    return bound !== null && typeof bound === 'object' ? bound.port : 0
  }

  connections(): readonly Connection[] {
    return this.#table.all()
  }

  unfinished(): number {
    return this.#unfinished.count
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#unfinished.abortAll(new MacaroondError('closed', 'the node is stopping'))
    await Promise.all(this.#table.all().map((connection) => connection.close()))
    await closed
  }

  /** Never rejects: nothing a peer does may reach the process as an unhandled rejection. */
  async #admit(socket: Socket): Promise<void> {
    const remoteAddress = remoteAddressOf(socket)
    const transport = new SocketStream(socket, 'inbound')
    transport.limitReceived(this.#limits.handshakeBytesMax)
    const cancel = new AbortController()
    const finish = this.#unfinished.add(remoteAddress, (error) => {
      cancel.abort(error)
      transport.abort(error)
    })
    const progress: Progress = {}
    try {
      // Who says nothing takes no turn.
      await transport.spoken
      await this.#turns.turn(remoteAddress, cancel.signal)
      const connection = await this.#receive(transport, remoteAddress, cancel.signal, progress)
      finish()
      await this.#hand(connection)
    } catch (cause) {
      const error = asError(
        cancel.signal.aborted ? cancel.signal.reason : (transport.violation ?? cause),
        this.#options.log,
      )
      transport.abort(error)
      this.#report({ remoteAddress, remotePeer: progress.remotePeer, channel: progress.channel, error })
    } finally {
      finish()
    }
  }

  async #receive(
    transport: SocketStream,
    remoteAddress: string,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<Connection> {
    const accept: Accept = (...claim) => this.#decide(...claim)
    const clock = this.#options.clock ?? systemClock
    const options = {
      encrypter: this.#encrypter,
      transport,
      remoteAddress,
      signal,
      clock,
      limits: this.#limits,
      accept,
    }
    const connection = await receive(options, progress)
    this.#table.add(connection)
    return connection
  }

  async #decide(...claim: Parameters<Accept>): Promise<Acceptance> {
    const acceptance = await this.#options.accept(...claim)
    // Asked last: others may have come in while the decision was being made.
    const full = this.#table.refusal(claim[0])
    if (full !== undefined && acceptance.ok) return { ok: false, error: full }
    if (this.#closing === undefined) return acceptance
    return { ok: false, error: { code: 'closed', message: 'the node is stopping' } }
  }

  async #hand(connection: Connection): Promise<void> {
    try {
      await this.#options.onConnection(connection)
    } catch (cause) {
      this.#options.log.error({ err: cause, channel: connection.channel }, 'a connection failed in its handler')
      connection.abort(asError(cause, this.#options.log))
    }
  }

  #report(refusal: Refusal): void {
    try {
      this.#options.onRefusal?.(refusal)
    } catch (error) {
      this.#options.log.error({ err: error }, 'counting a refusal failed')
    }
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

function asError(cause: unknown, log: Log): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  log.error({ err: cause }, 'a handshake failed inside')
  return fromReport({ code: 'internal', message: 'an internal error; the log of the node has the details' })
}
