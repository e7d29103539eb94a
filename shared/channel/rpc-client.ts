/** The calling side of RPC: many calls at once over one connection, each with its own time limit. */
import { systemClock, type Timers } from '../clock.ts'
import { fromReport, MacaroondError } from '../errors.ts'
import { REQUESTS_CLOSE_TIMEOUT_MS, REQUESTS_IN_FLIGHT_MAX, REQUEST_TIMEOUT_MS } from '../limits.ts'
import type { Connection } from './connection.ts'
import { decodeResponse, encodeRequest } from './rpc.ts'
import { Sender } from './sender.ts'

export interface CallOptions {
  /** Milliseconds until the call fails with `timeout`. It may have been carried out all the same. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface RpcClientOptions {
  /** Most calls in flight; further calls throw overloaded. */
  readonly inFlightMax?: number
  /** How long `close` waits for calls in flight. */
  readonly closeTimeoutMs?: number
  readonly clock?: Pick<Timers, 'after'>
}

interface Pending {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: MacaroondError) => void
  readonly release: () => void
}

/** Owns the connection, and reads all its messages. */
export class RpcClient {
  readonly connection: Connection
  readonly #options: RpcClientOptions
  readonly #clock: Pick<Timers, 'after'>
  readonly #sender: Sender
  readonly #pending: Map<number, Pending> = new Map()
  #lastId = 0
  #ended: MacaroondError | undefined
  #closing: Promise<void> | undefined
  #whenIdle: (() => void) | undefined

  constructor(connection: Connection, options: RpcClientOptions = {}) {
    this.connection = connection
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#sender = new Sender(connection)
    void this.#read()
  }

  get inFlight(): number {
    return this.#pending.size
  }

  /**
   * Rejects with the server's error, timeout, closed (the signal aborted, or this client is closed), overloaded (too many calls
   * in flight), connection_lost, or request_invalid (the parameters are no JSON or too large).
   */
  async call(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    const refusal = this.#refusal(options.signal)
    if (refusal !== undefined) throw refusal
    const id = this.#lastId + 1
    const message = encodeRequest({ id, method, params })
    this.#lastId = id
    const answered = this.#expect(id, method, options)
    this.#sender.push(message)
    return answered
  }

  /** Refuses further calls, waits for the calls in flight (bounded), then closes the connection. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #refusal(signal: AbortSignal | undefined): MacaroondError | undefined {
    if (this.#closing !== undefined) return new MacaroondError('closed', 'this client is closed')
    if (this.#ended !== undefined) return this.#ended
    if (signal?.aborted === true) return calledOff()
    const inFlightMax = this.#options.inFlightMax ?? REQUESTS_IN_FLIGHT_MAX
    if (this.#pending.size < inFlightMax) return undefined
    return new MacaroondError('overloaded', `${inFlightMax} calls are in flight on this connection already`)
  }

  #expect(id: number, method: string, { timeoutMs = REQUEST_TIMEOUT_MS, signal }: CallOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => this.#fail(id, calledOff())
      const callOff = this.#clock.after(timeoutMs, () => this.#fail(id, timedOut(method, timeoutMs)))
      signal?.addEventListener('abort', cancel)
      const release = (): void => {
        callOff()
        signal?.removeEventListener('abort', cancel)
      }
      this.#pending.set(id, { resolve, reject, release })
    })
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.connection.messages()) this.#answer(message)
      this.#end(new MacaroondError('connection_lost', 'the connection was closed'))
    } catch (cause) {
      const error = asError(cause)
      if (error.code === 'protocol_violation') this.connection.abort(error)
      this.#end(error)
    }
  }

  #answer(message: Uint8Array): void {
    const response = decodeResponse(message)
    if (response.id > this.#lastId)
      throw new MacaroondError('protocol_violation', 'the peer sent an answer without a request')
    // The answer of a call that timed out or was aborted may still come; it is dropped.
    const pending = this.#take(response.id)
    if ('error' in response) pending?.reject(fromReport(response.error))
    else pending?.resolve(response.result)
  }

  #fail(id: number, error: MacaroondError): void {
    this.#take(id)?.reject(error)
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    pending?.release()
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#whenIdle?.()
    return pending
  }

  #end(error: MacaroondError): void {
    const lost =
      error.code === 'connection_lost' ? error : new MacaroondError('connection_lost', error.message, { cause: error })
    this.#ended = lost
    for (const id of this.#pending.keys()) this.#fail(id, lost)
  }

  async #close(): Promise<void> {
    const waitMs = this.#options.closeTimeoutMs ?? REQUESTS_CLOSE_TIMEOUT_MS
    if (this.#pending.size > 0) await this.#idle(waitMs)
    await this.connection.close()
  }

  #idle(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#clock.after(waitMs, resolve)
      this.#whenIdle = () => {
        callOff()
        resolve()
      }
    })
  }
}

function timedOut(method: string, timeoutMs: number): MacaroondError {
  return new MacaroondError('timeout', `${method} was not answered within ${timeoutMs} ms`, {
    hint: 'it may have been carried out all the same: check before you repeat it',
  })
}

function calledOff(): MacaroondError {
  return new MacaroondError('closed', 'the call was cancelled')
}

function asError(cause: unknown): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  return new MacaroondError('connection_lost', cause instanceof Error ? cause.message : 'the connection broke', {
    cause,
  })
}
