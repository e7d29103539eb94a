/** `GET /metrics` over HTTP, for whoever may reach the address: nothing in it is a secret, and nothing can be changed by it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { addressText, parseAddress } from '../channel/address.ts'
import { MacaroondError, reportOf } from '../errors.ts'
import { METRICS_CONNECTIONS_MAX, METRICS_REQUEST_MS_MAX } from '../limits.ts'
import type { Log } from '../log.ts'
import { Exposition } from './exposition.ts'
import type { Metric } from './metric.ts'

export interface MetricsOptions {
  /** `host:port`; with port 0 the system chooses. */
  readonly address: string
  readonly collect: () => readonly Metric[]
  readonly log: Log
}

export class MetricsDoor {
  readonly #options: MetricsOptions
  readonly #exposition: Exposition
  readonly #server: Server

  private constructor(options: MetricsOptions) {
    this.#options = options
    this.#exposition = new Exposition(options.collect)
    const limits = { requestTimeout: METRICS_REQUEST_MS_MAX, headersTimeout: METRICS_REQUEST_MS_MAX }
    this.#server = createServer(limits, (request, response) => void this.#answer(request, response))
    this.#server.maxConnections = METRICS_CONNECTIONS_MAX
  }

  /** Throws port_in_use, request_invalid (address), io_failed. */
  static async open(options: MetricsOptions): Promise<MetricsDoor> {
    const door = new MetricsDoor(options)
    try {
      await door.#listen()
    } catch (error) {
      door.#exposition.close()
      throw error
    }
    return door
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
        this.#server.on('error', (error) => log.error({ err: error }, 'the metrics cannot be asked for'))
        resolve()
      })
    })
  }

  async #answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (url.split('?', 1)[0] !== '/metrics') return say(response, 404, 'there is only /metrics here\n')
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return say(response, 405, 'metrics are read with GET\n')
    }
    try {
      const text = await this.#exposition.text()
      response.setHeader('content-type', Exposition.contentType)
      response.end(text)
    } catch (error) {
      this.#options.log.error({ error: reportOf(error) }, 'the metrics could not be collected')
      say(response, 500, 'the metrics could not be collected; the log says why\n')
    }
  }
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
