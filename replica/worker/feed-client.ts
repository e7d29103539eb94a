/**
 * Feeds the cache from one replica at a time, over the `feed` channel. It changes to the next replica if the present one is
 * lost, silent, in another history, or has lost its own primary. Its pings request the worker's lease. A lease from the
 * previous replica keeps running during the change.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import { dial } from '../../shared/channel/dial.ts'
import { dialKind } from '../../shared/channel/handshake-error.ts'
import type { Identity } from '../../shared/channel/identity.ts'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import { superviseConnection } from '../../shared/channel/supervisor.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { FEED_PAUSE_MS, FEED_SILENCE_MS_MAX, FEED_STALE_MS_MAX, FOREIGN_FEED_MS_MAX } from '../../shared/limits.ts'
import type { Host } from '../../shared/service/host.ts'
import { connectionLog, type ConnectionLog, safeLogger, type ServiceLogger } from '../../shared/service-logger.ts'
import {
  type FeedHello,
  type FeedWelcome,
  type FromWorker,
  feedWelcome,
  toWorker,
  type ToWorker,
} from '../../shared/protocol/feed.ts'
import { decodeMessage, encodeMessage } from '../../shared/protocol/message.ts'
import { Paced } from '../../shared/service/paced.ts'
import type { FeedEvent } from './feed-core.ts'
import type { HomeRegion } from './region.ts'
import type { WorkerCache } from './worker-cache.ts'

export interface FeedClientOptions {
  readonly cluster: string
  readonly replicas: readonly NodeAddress[]
  readonly identity: Identity
  readonly boot: string
  readonly cache: WorkerCache
  readonly region: HomeRegion
  readonly host: Host
  readonly logger?: ServiceLogger
  /** Called after a connection was established or lost. Must not throw. */
  readonly onChange?: () => void
}

/** Owns the connection, and passes every event to the cache. Decisions are made in `feed-core.ts`. */
export class FeedClient {
  readonly #options: FeedClientOptions
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  /** Index of the present replica. It advances after every failure. */
  #replicaIndex = 0
  readonly #acknowledgements: Paced
  #owed: { readonly message: Acknowledgement; readonly connection: Connection } | undefined
  #connected: string | undefined
  /** The address of the last attempt. */
  #dialled = ''
  #error: string | undefined
  /** The refusals by replicas that were the result of the last attempt, by PeerId. */
  readonly #refusals = new Map<string, MacaroondError>()

  constructor(options: FeedClientOptions) {
    const { clock, entropy } = options.host
    this.#options = options
    this.#acknowledgements = new Paced(() => this.#sendOwed(), FEED_PAUSE_MS, clock)
    this.#ended = superviseConnection({
      dial: (signal) => this.#dial(signal),
      run: (connection, retire) => this.#follow(connection, retire),
      signal: this.#stop.signal,
      clock,
      entropy,
      log: this.#log,
    })
  }

  /** PeerId of the replica that feeds this worker, if connected. */
  get connected(): string | undefined {
    return this.#connected
  }

  /** The reason why the last connection failed or ended; undefined while connected. */
  get error(): string | undefined {
    return this.#error
  }

  /** Why this replica refuses to feed this worker; undefined if it does not, or was not asked. */
  refusalOf(peerId: string): MacaroondError | undefined {
    return this.#refusals.get(peerId)
  }

  get #log(): ConnectionLog {
    return connectionLog(safeLogger(this.#options.logger), () => ({ address: this.#dialled, channel: 'feed' }))
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#ended
    this.#acknowledgements.close()
  }

  async #dial(signal: AbortSignal): Promise<Connection> {
    const { identity, cluster } = this.#options
    const { address, peerId } = this.#current()
    this.#dialled = address
    const pinned = parsePeerId(peerId)
    const hello = this.#hello()
    const { clock, transport } = this.#options.host
    try {
      const connection = await dial({
        address,
        peerId: pinned,
        identity,
        channel: 'feed',
        cluster,
        hello,
        signal,
        clock,
        transport,
      })
      return await this.#admitted(connection)
    } catch (error) {
      this.#failed(error, peerId)
      throw error
    }
  }

  /** Returns the connection if its replica is in a region that may be asked. Otherwise closes it and throws. */
  async #admitted(connection: Connection): Promise<Connection> {
    try {
      this.#options.region.admit(connection.remotePeer, connection.hello)
      return connection
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  /** The replica to connect to. Replicas of this region come first, in their order. */
  #current(): NodeAddress {
    const { replicas, region } = this.#options
    const ordered = replicas.toSorted((a, b) => Number(region.isForeign(a.peerId)) - Number(region.isForeign(b.peerId)))
    const current = ordered[this.#replicaIndex % ordered.length]
    assert(current !== undefined, 'there is a replica at least')
    return current
  }

  /** The next attempt goes to the next replica, so that one bad replica does not keep the worker without a lease. */
  #failed(error: unknown, peerId: string): void {
    this.#replicaIndex += 1
    this.#error = error instanceof Error ? error.message : 'the feed ended'
    if (error instanceof MacaroondError && dialKind(error) === 'denied') this.#refusals.set(peerId, error)
    else this.#refusals.delete(peerId)
  }

  /** Names the last revocation applied here, so that the replica can resume after it. */
  #hello(): FeedHello {
    const { boot, cache } = this.#options
    return { boot, timeline: cache.place?.timeline ?? null, seq: cache.place?.seq ?? 0 }
  }

  /** Follows one replica until the connection ends. `retire` is aborted when the connection is due for replacement. */
  async #follow(connection: Connection, retire: AbortSignal): Promise<void> {
    const { host, region, replicas } = this.#options
    const { clock } = host
    const { boot, region: place, pingMs } = this.#welcome(connection)
    retire.addEventListener('abort', () => void connection.close())
    const peer = connection.remotePeer
    this.#step({ kind: 'connected', peer, boot, region: place }, connection)
    this.#connected = peer
    this.#error = undefined
    this.#refusals.delete(peer)
    this.#options.onChange?.()
    const watch = new ReplicaWatch({
      nowMs: () => clock.monotonicMs(),
      alone: replicas.length === 1,
      foreign: region.isForeign(peer) && replicas.some(({ peerId }) => !region.isForeign(peerId)),
    })
    const beat = (): void => this.#beat(connection, watch)
    beat()
    const stopBeating = clock.every(pingMs, beat)
    try {
      await this.#read(connection, watch)
      if (!retire.aborted) this.#failed(await connection.closed, peer)
    } catch (error) {
      this.#failed(error, peer)
      throw error
    } finally {
      stopBeating()
      this.#connected = undefined
      this.#step({ kind: 'disconnected' }, connection)
      this.#options.onChange?.()
    }
  }

  #welcome(connection: Connection): FeedWelcome {
    const welcome = feedWelcome.safeParse(connection.hello)
    if (welcome.success) return welcome.data
    const error = new MacaroondError('protocol_violation', 'this replica sent a malformed welcome')
    this.#failed(error, connection.remotePeer)
    connection.abort(error)
    throw error
  }

  async #read(connection: Connection, watch: ReplicaWatch): Promise<void> {
    for await (const frame of connection.messages()) {
      const message = decodeMessage(frame, toWorker)
      watch.heard(message)
      this.#step({ kind: 'received', message }, connection)
    }
  }

  /** Runs once in each ping interval: checks the replica, the lease, and sends a ping. */
  #beat(connection: Connection, watch: ReplicaWatch): void {
    const why = watch.fault()
    if (why !== undefined) return connection.abort(new MacaroondError('timeout', why))
    // An expired lease drops the whole cache, even if no verification asks for it.
    this.#step({ kind: 'time passed' }, connection)
    this.#step({ kind: 'pinged' }, connection)
  }

  #step(event: FeedEvent, connection: Connection): void {
    for (const effect of this.#options.cache.step(event)) {
      if (effect.kind === 'send' && effect.message.t === 'ack') this.#acknowledge(effect.message, connection)
      else if (effect.kind === 'send') connection.write(encodeMessage(effect.message))
      else if (effect.kind === 'leave') connection.abort(new MacaroondError('position_superseded', effect.why))
    }
  }

  /** Acknowledges later, together with what follows: the last acknowledgement covers the earlier ones. */
  #acknowledge(message: Acknowledgement, connection: Connection): void {
    this.#owed = { message, connection }
    this.#acknowledgements.request()
  }

  /** The connection may have ended meanwhile; a write to it then has no effect. */
  #sendOwed(): void {
    if (this.#owed !== undefined) this.#owed.connection.write(encodeMessage(this.#owed.message))
  }
}

type Acknowledgement = Extract<FromWorker, { t: 'ack' }>

interface WatchOptions {
  readonly nowMs: () => number
  /** True if there is no other replica to change to. */
  readonly alone: boolean
  /** True if the replica is in another region, and is followed only until one of this region is back. */
  readonly foreign: boolean
}

/** Watches the present replica, and finds a reason to leave it. */
class ReplicaWatch {
  readonly #options: WatchOptions
  readonly #startedMs: number
  #heardMs: number
  #freshMs: number
  #lookedMs: number

  constructor(options: WatchOptions) {
    this.#options = options
    this.#startedMs = options.nowMs()
    this.#heardMs = this.#startedMs
    this.#freshMs = this.#startedMs
    this.#lookedMs = this.#startedMs
  }

  heard(message: ToWorker): void {
    this.#heardMs = this.#options.nowMs()
    if (message.t === 'granted' && message.leaseMs > 0 && message.ageMs < FEED_STALE_MS_MAX)
      this.#freshMs = this.#heardMs
  }

  /** The reason to leave the replica, or undefined. Call it once in each ping interval. */
  fault(): string | undefined {
    const { nowMs, alone, foreign } = this.#options
    const now = nowMs()
    // After this process stalled, timers run before sockets are read, so messages may have arrived that were not read yet.
    if (now - this.#lookedMs > FEED_SILENCE_MS_MAX / 2) this.#heardMs = this.#freshMs = now
    this.#lookedMs = now
    if (now - this.#heardMs > FEED_SILENCE_MS_MAX) return 'this replica answers no pings'
    if (!alone && now - this.#freshMs > FEED_STALE_MS_MAX)
      return 'this replica has had no new state from its primary for too long'
    return foreign && now - this.#startedMs > FOREIGN_FEED_MS_MAX
      ? 'a replica of this region is tried again'
      : undefined
  }
}
