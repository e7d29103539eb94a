/**
 * What can go wrong between us and a store, request by request: an HTTP proxy that asks what to do with each. Signatures cover
 * the host that was asked, which is why it hands that on.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'

export const FAULTS = [
  /** The store says "slow down", and does nothing. */
  'busy',
  /** Nothing arrives. */
  'refused',
  /** Half of what was sent arrives. */
  'cut request',
  /** The store does it, and nobody hears of it. */
  'lost reply',
  /** The answer ends half way. */
  'cut reply',
  /** It arrives when nobody waits for the answer any more. */
  'late',
  /** The proxy says that it is done, with a page of its own, and hands nothing on. */
  'lie',
  /** A list as it was one list ago. */
  'stale list',
] as const
export type Fault = (typeof FAULTS)[number]

export interface Seen {
  readonly method: string
  readonly path: string
  readonly isList: boolean
}

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const LATE_MS = 350
const BUSY =
  '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'

export class FaultProxy {
  /** Undefined lets the request through. */
  choose: (seen: Seen) => Fault | undefined = () => undefined
  readonly happened: Map<Fault, number> = new Map()
  requests = 0
  readonly #server: Server
  readonly #target: string
  readonly #lists = new Map<string, Reply>()

  private constructor(target: string) {
    this.#target = target
    this.#server = createServer((incoming, outgoing) => {
      void this.#handle(incoming, outgoing).catch(() => outgoing.destroy())
    })
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    this.requests += 1
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const seen = seenIn(incoming)
    const fault = this.choose(seen)
    if (fault !== undefined && fits(fault, seen, body)) {
      this.happened.set(fault, (this.happened.get(fault) ?? 0) + 1)
      await this.#spoil(fault, incoming, body, outgoing)
    } else {
      this.#reply(outgoing, await this.#forward(incoming, body))
    }
  }

  async #spoil(fault: Fault, incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): Promise<void> {
    switch (fault) {
      case 'busy':
        outgoing.writeHead(503, { 'content-type': 'application/xml' }).end(BUSY)
        return
      case 'refused':
        outgoing.destroy()
        return
      case 'cut request':
        await this.#cutRequest(incoming, body)
        outgoing.destroy()
        return
      case 'lost reply':
        await this.#forward(incoming, body)
        outgoing.destroy()
        return
      case 'cut reply':
        cutReply(outgoing, await this.#forward(incoming, body))
        return
      case 'lie':
        outgoing.writeHead(200, { 'content-type': 'text/html' }).end('<html>welcome</html>')
        return
      case 'late':
        await setTimeout(LATE_MS)
        await this.#forward(incoming, body)
        outgoing.destroy()
        return
      case 'stale list': {
        const before = this.#lists.get(incoming.url ?? '')
        this.#reply(outgoing, before ?? (await this.#forward(incoming, body)))
      }
    }
  }

  #reply(outgoing: ServerResponse, { status, headers, body }: Reply): void {
    outgoing.writeHead(status, headers).end(body)
  }

  async #forward(incoming: IncomingMessage, body: Buffer): Promise<Reply> {
    const reply = await exchange(this.#target, incoming, body)
    if (seenIn(incoming).isList) this.#lists.set(incoming.url ?? '', reply)
    return reply
  }

  /** The store waits for the rest until the connection ends. */
  async #cutRequest(incoming: IncomingMessage, body: Buffer): Promise<void> {
    const outgoing = begin(this.#target, incoming)
    outgoing.on('error', () => undefined)
    await new Promise((resolve) => outgoing.write(body.subarray(0, body.length / 2), resolve))
    outgoing.destroy()
  }
}

function seenIn({ method = '', url = '' }: IncomingMessage): Seen {
  return { method, path: url, isList: method === 'GET' && url.includes('list-type=2') }
}

function fits(fault: Fault, { isList, method }: Seen, body: Buffer): boolean {
  if (fault === 'lie') return method === 'PUT'
  if (fault === 'stale list') return isList
  return fault !== 'cut request' || body.length > 1
}

function begin(target: string, { method, url, headers }: IncomingMessage): ReturnType<typeof request> {
  const [host, port] = target.split(':')
  return request({ host, port, method, path: url, headers })
}

function exchange(target: string, incoming: IncomingMessage, body: Buffer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = begin(target, incoming)
    outgoing.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, body: Buffer.concat(chunks) })
      })
    })
    outgoing.end(body)
  })
}

function cutReply(outgoing: ServerResponse, { status, headers, body }: Reply): void {
  outgoing.writeHead(status, headers)
  outgoing.write(body.subarray(0, body.length / 2), () => outgoing.destroy())
}
