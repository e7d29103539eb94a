/**
 * Serves `GET /metrics` over HTTP to everybody who can reach the address. An answer contains no secret, and a request changes
 * nothing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { addressText, parseAddress } from '../channel/address.ts'
import { systemClock } from '../clock.ts'
import { MacaroondError, reportOf } from '../errors.ts'
import {
  METRICS_CONNECTION_MS_MAX,
  METRICS_CONNECTIONS_MAX,
  METRICS_PAUSE_MS,
  METRICS_REQUEST_MS_MAX,
} from '../limits.ts'
import type { Log } from '../log.ts'
import { Exposition } from './exposition.ts'
import type { Metric } from './metric.ts'

export interface MetricsOptions {
  /** `host:port`; with port 0 the system chooses. */
  readonly address: string
  readonly collect: () => readonly Metric[]
  readonly log: Log
  /** Longest duration of one connection. */
  readonly connectionMsMax?: number
}

/** Limits: connections in number and time, requests in time, and collections to one every METRICS_PAUSE_MS. */
export class MetricsServer {
  readonly #options: MetricsOptions
  readonly #exposition: Exposition
  readonly #server: Server
  #told = { atMs: -Infinity, text: '' }

  private constructor(options: MetricsOptions) {
    this.#options = options
    this.#exposition = new Exposition(options.collect)
    const patience = { requestTimeout: METRICS_REQUEST_MS_MAX, headersTimeout: METRICS_REQUEST_MS_MAX }
    const limits = { ...patience, connectionsCheckingInterval: METRICS_REQUEST_MS_MAX }
    this.#server = createServer(limits, (request, response) => void this.#answer(request, response))
    this.#server.maxConnections = METRICS_CONNECTIONS_MAX
    // Connections are limited in number, so a few readers that stall could otherwise lock all others out.
    const { connectionMsMax = METRICS_CONNECTION_MS_MAX } = options
    this.#server.on('connection', (socket) => endLate(socket, connectionMsMax))
  }

  /** Throws port_in_use, request_invalid (bad address), io_failed. */
  static async open(options: MetricsOptions): Promise<MetricsServer> {
    const server = new MetricsServer(options)
    try {
      await server.#listen()
    } catch (error) {
      server.#exposition.close()
      throw error
    }
    return server
  }

  /** `host:port` as bound. */
  get address(): string {
    const { port } = this.#server.address() as AddressInfo
    return addressText({ host: parseAddress(this.#options.address).host, port })
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    this.#exposition.close()
    await closed
  }

  #listen(): Promise<void> {
    const { address, log } = this.#options
    const { host, port } = parseAddress(address)
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listeningFailed(address, error))
      this.#server.once('error', failed)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', failed)
        this.#server.on('error', (error) => log.error({ err: error }, 'the metrics server failed'))
        resolve()
      })
    })
  }

  /** Collects at most once every METRICS_PAUSE_MS, so that a flood of requests costs little. */
  async #text(): Promise<string> {
    const nowMs = systemClock.monotonicMs()
    if (nowMs - this.#told.atMs >= METRICS_PAUSE_MS) this.#told = { atMs: nowMs, text: await this.#exposition.text() }
    return this.#told.text
  }

  async #answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (url.split('?', 1)[0] !== '/metrics') return say(response, 404, 'there is only /metrics here\n')
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return say(response, 405, 'metrics are read with GET\n')
    }
    try {
      const text = await this.#text()
      response.setHeader('content-type', Exposition.contentType)
      response.end(text)
    } catch (error) {
      this.#options.log.error({ error: reportOf(error) }, 'the metrics could not be collected')
      say(response, 500, 'the metrics could not be collected; the log has the details\n')
    }
  }
}

/** Ends a connection after `ms`. An answer takes a few milliseconds, and the next request can use another connection. */
function endLate(socket: Socket, ms: number): void {
  const callOff = systemClock.after(ms, () => socket.destroy(), { background: true })
  socket.once('close', callOff)
}

function say(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(text)
}

function listeningFailed(address: string, error: NodeJS.ErrnoException): MacaroondError {
  if (error.code === 'EADDRINUSE') {
    return new MacaroondError('port_in_use', `${address} is in use`, {
      hint: 'give `listen` under [metrics] another port',
    })
  }
  return new MacaroondError('io_failed', `cannot listen on ${address}: ${error.code ?? error.message}`, {
    hint: '`listen` under [metrics] is an address of this machine',
  })
}
