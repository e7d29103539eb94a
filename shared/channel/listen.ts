/** Accepts connections. Every link becomes a welcomed connection, or is closed after the handshake timeout at the latest. */
import { type Clock, systemClock, type Timers } from '../clock.ts'
import { fromReport, MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import type { Log } from '../log.ts'
import { addressText, parseAddress } from './address.ts'
import { channelLimits, type ChannelLimits } from './channel-limits.ts'
import type { ChannelName } from './channel-name.ts'
import type { Connection } from './connection.ts'
import { ConnectionTable } from './connection-table.ts'
import type { Identity } from './identity.ts'
import { type Accept, type Acceptance, type Progress, acceptLink } from './inbound.ts'
import { tcp } from './tcp.ts'
import type { LinkListener, Link, Transport } from './transport.ts'
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
  /** Called for each link that did not become a connection. In a flood it is called often, so count and do not log. */
  readonly onRefusal?: (refusal: Refusal) => void
  readonly log: Log
  readonly clock?: Clock & Timers
  readonly transport?: Transport
  readonly limits?: Partial<ChannelLimits>
}

/** A link that did not become a connection, with the facts that were known of it. */
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
  /** Number of links that are not welcomed yet. */
  unfinished(): number
  /** Accepts no more links and closes all connections. Resolves when every link is gone. */
  close(): Promise<void>
}

/** Throws port_in_use, request_invalid (bad address) or io_failed. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const listener = new ChannelListener(options)
  await listener.open()
  return listener
}

class ChannelListener implements Listener {
  readonly #options: ListenOptions
  readonly #clock: Clock & Timers
  readonly #limits: ChannelLimits
  readonly #unfinished: UnfinishedHandshakes
  /** In a flood of dials the handshakes wait for turns, so that connected peers are served in between. */
  readonly #turns: Turns
  readonly #table: ConnectionTable
  #listener: LinkListener | undefined
  #closing: Promise<void> | undefined

  constructor(options: ListenOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#limits = channelLimits(options.limits)
    this.#unfinished = new UnfinishedHandshakes({
      countMax: this.#limits.handshakesUnfinishedMax,
      timeoutMs: this.#limits.handshakeTimeoutMs,
      clock: this.#clock,
    })
    this.#turns = new Turns({
      perSecond: this.#limits.handshakesASecondMax,
      atOnce: this.#limits.handshakesAtOnceMax,
      clock: this.#clock,
    })
    this.#table = new ConnectionTable(this.#limits)
  }

  async open(): Promise<void> {
    const { address, identity, cluster, log, transport = tcp } = this.#options
    const onError = (error: Error): void => log.error({ err: error }, 'listening failed')
    const onLink = (link: Link): void => void this.#admit(link)
    this.#listener = await transport.listen({ address, identity, cluster, onLink, onError })
  }

  get address(): string {
    return addressText({ host: parseAddress(this.#options.address).host, port: this.port })
  }

  get port(): number {
    return this.#listener?.port ?? 0
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
    const closed = this.#listener?.close()
    this.#unfinished.abortAll(new MacaroondError('closed', 'the node is stopping'))
    await Promise.all(this.#table.all().map((connection) => connection.close()))
    await closed
  }

  /** Never rejects, so that no peer can cause an unhandled rejection. */
  async #admit(link: Link): Promise<void> {
    const { remoteAddress, carrier } = link
    carrier.limitReceived(this.#limits.handshakeBytesMax)
    const cancel = new AbortController()
    const finish = this.#unfinished.add(remoteAddress, (error) => {
      cancel.abort(error)
      carrier.abort(error)
    })
    const progress: Progress = {}
    try {
      // A peer that sends nothing takes no turn.
      await carrier.firstByte
      await this.#turns.turn(remoteAddress, cancel.signal)
      const connection = await this.#receive(link, cancel.signal, progress)
      finish()
      await this.#handOver(connection)
    } catch (cause) {
      const error = asError(
        cancel.signal.aborted ? cancel.signal.reason : (carrier.violation ?? cause),
        this.#options.log,
      )
      carrier.abort(error)
      this.#report({ remoteAddress, remotePeer: progress.remotePeer, channel: progress.channel, error })
    } finally {
      finish()
    }
  }

  async #receive(link: Link, signal: AbortSignal, progress: Progress): Promise<Connection> {
    const accept: Accept = (...claim) => this.#decide(...claim)
    const connection = await acceptLink({ link, signal, clock: this.#clock, limits: this.#limits, accept }, progress)
    this.#table.add(connection)
    return connection
  }

  async #decide(...claim: Parameters<Accept>): Promise<Acceptance> {
    const acceptance = await this.#options.accept(...claim)
    // The table is asked last, because other peers may have connected during the decision.
    const full = this.#table.refusal(claim[0])
    if (full !== undefined && acceptance.ok) return { ok: false, error: full }
    if (this.#closing === undefined) return acceptance
    return { ok: false, error: { code: 'closed', message: 'the node is stopping' } }
  }

  async #handOver(connection: Connection): Promise<void> {
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
      this.#options.log.error({ err: error }, 'the counter of refusals failed')
    }
  }
}

function asError(cause: unknown, log: Log): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  log.error({ err: cause }, 'a handshake failed with an internal error')
  return fromReport({ code: 'internal', message: 'an internal error; the log of the node has the details' })
}
