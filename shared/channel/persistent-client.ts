/** An RPC client that reconnects by itself; both SDKs use it. It does not repeat a call whose connection was lost. */
import { systemClock, systemEntropy, type Entropy, type NodeClock } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import { REQUEST_TIMEOUT_MS } from '../limits.ts'
import { silentLog } from '../log.ts'
import type { ConnectionLog } from '../service-logger.ts'
import type { ChannelName } from './channel-name.ts'
import type { Connection } from './connection.ts'
import { dial } from './dial.ts'
import { dialKind } from './handshake-error.ts'
import type { Identity } from './identity.ts'
import type { JsonObject } from './json.ts'
import { RpcClient, type CallOptions } from './rpc-client.ts'
import { superviseConnection } from './supervisor.ts'
import { tcp } from './tcp.ts'
import type { Transport } from './transport.ts'

/** Clock, entropy and network of the client's machine. A simulation gives each client its own. */
export interface ClientHost {
  readonly clock: NodeClock
  readonly entropy: Entropy
  readonly transport: Transport
}

const SYSTEM: ClientHost = { clock: systemClock, entropy: systemEntropy, transport: tcp }

export interface PersistentClientOptions {
  readonly address: string
  readonly peerId: PeerIdText
  readonly identity: Identity
  readonly cluster: string
  readonly channel: ChannelName
  readonly log?: ConnectionLog
  readonly host?: ClientHost
  readonly hello?: JsonObject
  /** Checks a welcome. If it throws, the connection is closed as if the server had refused with that error. */
  readonly admit?: (welcome: JsonObject) => void
  /** Called after `connected` or `error` has changed. Must not throw. */
  readonly onChange?: () => void
}

export class PersistentClient {
  readonly #options: PersistentClientOptions
  readonly #host: ClientHost
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  #client: RpcClient | undefined
  #error: MacaroondError | undefined
  #waiting = new Set<() => void>()

  /** Dials at once, and again whenever the connection is lost. */
  constructor(options: PersistentClientOptions) {
    this.#options = options
    this.#host = options.host ?? SYSTEM
    const { clock, entropy } = this.#host
    this.#ended = superviseConnection({
      dial: (signal) => this.#dial(signal),
      run: (connection, retire) => this.#use(connection, retire),
      signal: this.#stop.signal,
      clock,
      entropy,
      log: options.log ?? silentLog,
      overlap: true,
      onState: (state) => state.phase === 'waiting' && this.#failed(state.error),
    })
  }

  get connected(): boolean {
    return this.#client !== undefined
  }

  /** The reason why there is no connection now. */
  get error(): MacaroondError | undefined {
    return this.#error
  }

  /**
   * Waits for a connection within the call's time, then calls. Rejects at once if the server refuses this peer (a wrong pin, a
   * missing role). Rejects with connect_failed, timeout or closed if the server cannot be reached in time.
   */
  async call(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS
    const { clock } = this.#host
    const startedMs = clock.monotonicMs()
    const client = await this.#connection(timeoutMs, options.signal)
    const leftMs = Math.max(1, timeoutMs - (clock.monotonicMs() - startedMs))
    return client.call(method, params, { ...options, timeoutMs: leftMs })
  }

  /** Lets calls in flight finish (bounded), then closes. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#ended
  }

  async #dial(signal: AbortSignal): Promise<Connection> {
    const { clock, transport } = this.#host
    const connection = await dial({ ...this.#options, hello: this.#options.hello ?? {}, signal, clock, transport })
    try {
      this.#options.admit?.(connection.hello)
      return connection
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  async #use(connection: Connection, retire: AbortSignal): Promise<void> {
    const client = new RpcClient(connection, { clock: this.#host.clock })
    this.#client = client
    this.#error = undefined
    this.#wake()
    this.#options.onChange?.()
    const retired = new Promise<void>((resolve) => retire.addEventListener('abort', () => resolve()))
    await Promise.race([connection.closed, retired])
    if (this.#client === client) this.#client = undefined
    this.#options.onChange?.()
    await client.close()
  }

  #failed(error: MacaroondError | undefined): void {
    this.#error = error
    this.#options.onChange?.()
    if (error !== undefined && isFinal(error)) this.#wake()
  }

  async #connection(timeoutMs: number, signal: AbortSignal | undefined): Promise<RpcClient> {
    const late = new AbortController()
    const callOff = this.#host.clock.after(timeoutMs, () => late.abort(), { background: true })
    const deadline = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])])
    try {
      return await this.#connected(deadline, timeoutMs)
    } finally {
      callOff()
    }
  }

  async #connected(deadline: AbortSignal, timeoutMs: number): Promise<RpcClient> {
    for (;;) {
      if (this.#client !== undefined) return this.#client
      if (this.#stop.signal.aborted) throw new MacaroondError('closed', 'this client is closed')
      const error = this.#error
      if (error !== undefined && (isFinal(error) || deadline.aborted)) throw error
      if (deadline.aborted)
        throw new MacaroondError('timeout', `${this.#options.address} did not answer within ${timeoutMs} ms`)
      await this.#change(deadline)
    }
  }

  #change(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        deadline.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      deadline.addEventListener('abort', wake)
    })
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}

/** True if a retry cannot help, because an operator must change something. */
function isFinal(error: MacaroondError): boolean {
  const kind = dialKind(error)
  return kind === 'denied' || kind === 'conflict' || kind === 'usage'
}
