/** The serving side of RPC: answers the calls on a connection, in the order in which the answers are ready. */
import { systemClock, type Timers } from '../clock.ts'
import { MacaroondError, reportOf } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import {
  CONTROL_MESSAGE_BYTES_MAX,
  REQUESTS_CLOSE_TIMEOUT_MS,
  REQUESTS_IN_FLIGHT_MAX,
  RETRY_AFTER_MS,
} from '../limits.ts'
import type { Log } from '../log.ts'
import type { Connection } from './connection.ts'
import { publicReport } from './error-report.ts'
import { decodeRequest, encodeFailure, encodeResult, NO_SUCH_METHOD, type RpcRequest } from './rpc.ts'
import { Sender } from './sender.ts'

/** The caller; its PeerId is proven. */
export interface RpcCaller {
  readonly peerId: PeerIdText
  readonly remoteAddress: string
  /** Aborts when the connection is gone, so nobody waits for the answer. */
  readonly signal: AbortSignal
}

/**
 * `params` comes from the peer: check its shape first. A MacaroondError is sent to the peer; any other error is only logged.
 */
export type RpcMethod = (params: unknown, caller: RpcCaller) => unknown

/** Calls `serve` when it is its turn. Returns undefined if that was at once, and otherwise a promise of that time. */
export type InTurn = (serve: () => void) => Promise<void> | undefined

export interface ServeOptions {
  readonly methods: Readonly<Record<string, RpcMethod>>
  readonly log: Log
  /** Most calls in flight; further calls are answered overloaded. */
  readonly inFlightMax?: number
  /** How long `close` waits for calls in flight. */
  readonly closeTimeoutMs?: number
  /** Shares the node's time among its peers; without it every call is served at once. */
  readonly inTurn?: InTurn
  readonly clock?: Pick<Timers, 'after'>
}

export interface RpcServer {
  /** Resolves when the connection has ended and no call is running any more. Never rejects. */
  readonly done: Promise<void>
  readonly inFlight: number
  /** Refuses further calls, waits for the calls in flight (bounded), then closes the connection. Never rejects. */
  close(): Promise<void>
}

/** Owns the connection, and reads all its messages. */
export function serveRpc(connection: Connection, options: ServeOptions): RpcServer {
  return new ConnectionServer(connection, options)
}

class ConnectionServer implements RpcServer {
  readonly done: Promise<void>
  readonly #connection: Connection
  readonly #options: ServeOptions
  readonly #methods: ReadonlyMap<string, RpcMethod>
  readonly #sender: Sender
  readonly #gone = new AbortController()
  readonly #caller: RpcCaller
  readonly #running: Map<number, Promise<void>> = new Map()
  #closing: Promise<void> | undefined

  constructor(connection: Connection, options: ServeOptions) {
    this.#connection = connection
    this.#options = options
    this.#methods = new Map(Object.entries(options.methods))
    this.#sender = new Sender(connection)
    const { remotePeer, remoteAddress } = connection
    this.#caller = { peerId: remotePeer, remoteAddress, signal: this.#gone.signal }
    this.done = this.#serve()
  }

  get inFlight(): number {
    return this.#running.size
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #inTurn(serve: () => void): Promise<void> | undefined {
    const { inTurn } = this.#options
    if (inTurn !== undefined) return inTurn(serve)
    serve()
    return undefined
  }

  async #serve(): Promise<void> {
    try {
      for await (const message of this.#connection.messages()) {
        const later = this.#inTurn(() => this.#receive(decodeRequest(message)))
        if (later !== undefined) await later
        // While a peer does not read its answers, we read no further requests of it.
        if (this.#sender.congested) await this.#sender.flushed()
      }
    } catch (cause) {
      if (cause instanceof MacaroondError) this.#connection.abort(cause)
      else this.#crash(cause)
    }
    this.#gone.abort()
    await Promise.allSettled(this.#running.values())
  }

  #receive(request: RpcRequest): void {
    const { id } = request
    if (this.#running.has(id))
      throw new MacaroondError('protocol_violation', 'the peer used the id of a call in flight')
    const refusal = this.#refusal()
    if (refusal !== undefined) return this.#sender.push(encodeFailure(id, reportOf(refusal)))
    const run = this.#run(request).finally(() => this.#running.delete(id))
    this.#running.set(id, run)
  }

  #refusal(): MacaroondError | undefined {
    if (this.#closing !== undefined) return new MacaroondError('closed', 'the node is closing this connection')
    const inFlightMax = this.#options.inFlightMax ?? REQUESTS_IN_FLIGHT_MAX
    if (this.#running.size < inFlightMax) return undefined
    const message = `${inFlightMax} calls are in flight on this connection already`
    return new MacaroondError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })
  }

  /** Never rejects. */
  async #run(request: RpcRequest): Promise<void> {
    const { log } = this.#options
    const answer = await answerCall(request, { methods: this.#methods, caller: this.#caller, log })
    if (!this.#gone.signal.aborted) this.#sender.push(answer)
  }

  async #close(): Promise<void> {
    const waitMs = this.#options.closeTimeoutMs ?? REQUESTS_CLOSE_TIMEOUT_MS
    const { clock = systemClock } = this.#options
    const { promise: timeout, resolve } = Promise.withResolvers<void>()
    const callOff = clock.after(waitMs, resolve)
    await Promise.race([this.#idle(), timeout])
    callOff()
    await this.#connection.close()
  }

  async #idle(): Promise<void> {
    await Promise.allSettled(this.#running.values())
    await this.#sender.flushed()
  }

  #crash(cause: unknown): void {
    this.#options.log.error({ err: cause }, 'serving a connection failed with an internal error')
    this.#connection.abort(new MacaroondError('internal', 'serving the connection failed'))
  }
}

export interface AnswerCallOptions {
  /** A Map, so that a call of `constructor` or `__proto__` finds no method. */
  readonly methods: ReadonlyMap<string, RpcMethod>
  readonly caller: RpcCaller
  readonly log: Log
}

/** Answers one call with an encoded response. Never rejects. */
export async function answerCall(
  { id, method, params }: RpcRequest,
  { methods, caller, log }: AnswerCallOptions,
): Promise<Uint8Array> {
  try {
    const handler = methods.get(method)
    if (handler === undefined) throw new MacaroondError('request_invalid', NO_SUCH_METHOD)
    const answer = encodeResult(id, await handler(params, caller))
    if (answer.byteLength > CONTROL_MESSAGE_BYTES_MAX) throw new Error(`an answer of ${answer.byteLength} bytes`)
    return answer
  } catch (cause) {
    const report = publicReport(cause)
    if (report.code === 'internal') log.error({ err: cause, method }, 'a call failed with an internal error')
    return encodeFailure(id, report)
  }
}
