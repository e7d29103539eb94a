/** A TCP proxy between two nodes: what an attacker or a bad network on the way can see and do. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface Cut {
  /** Ends a connection after so many bytes towards the dialer; asked once for each connection. */
  readonly afterBytes: () => number
}

export interface Slow {
  /** Connections that have carried this much towards the dialer are the bulk ones; the others run free. */
  readonly afterBytes: number
  readonly bytesPerSecond: number
}

export interface Hold {
  /** A connection on which the dialer sends this much at once is held: what comes back waits. */
  readonly requestBytes: number
}

interface Pair {
  readonly dialer: Socket
  readonly server: Socket
}

const TICK_MS = 10

export class Proxy {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  #target: string
  #port = 0
  /** New connections are refused while it is set. */
  down = false
  cut: Cut | undefined
  slow: Slow | undefined
  hold: Hold | undefined
  /** Connections that were held so far. */
  holds = 0
  /** Everything that went over the wire in both directions, when it is set. */
  captured: Buffer[] | undefined
  /** Connections that the proxy itself ended. */
  cuts = 0
  /** Bytes towards the dialers. */
  bytes = 0

  private constructor(target: string) {
    this.#target = target
    this.#server = createServer((socket) => this.#join(socket))
  }

  static async start(target: string): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    proxy.#port = (proxy.#server.address() as AddressInfo).port
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  get connections(): number {
    return this.#pairs.size
  }

  aim(target: string): void {
    this.#target = target
  }

  /** What was held goes on, and nothing more is held. */
  release(): void {
    this.hold = undefined
    for (const { server } of this.#pairs) server.resume()
  }

  /** Ends every connection now. */
  cutAll(): void {
    for (const pair of this.#pairs) this.#end(pair)
  }

  async stop(): Promise<void> {
    this.cutAll()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(dialer: Socket): void {
    if (this.down) return void dialer.destroy()
    const [host = '', port = ''] = this.#target.split(':')
    const server = connect({ host, port: Number(port), noDelay: true })
    dialer.setNoDelay(true)
    const pair = { dialer, server }
    this.#pairs.add(pair)
    const end = (): void => this.#end(pair)
    for (const socket of [dialer, server]) socket.on('error', end).on('close', end)
    dialer.on('data', (chunk) => {
      this.captured?.push(chunk)
      if (this.hold !== undefined && chunk.length >= this.hold.requestBytes) {
        this.holds += 1
        server.pause()
      }
      server.write(chunk)
    })
    this.#carry(pair)
  }

  #carry({ dialer, server }: Pair): void {
    const cutAt = this.cut?.afterBytes() ?? Infinity
    let carried = 0
    server.on('data', (chunk) => {
      this.captured?.push(chunk)
      const passes = chunk.subarray(0, Math.max(0, cutAt - carried))
      carried += passes.length
      this.bytes += passes.length
      if (passes.length > 0) dialer.write(passes)
      if (carried >= cutAt) {
        this.cuts += 1
        return this.#end({ dialer, server })
      }
      if (this.slow !== undefined && carried > this.slow.afterBytes) this.#throttle(server, chunk.length, this.slow)
    })
  }

  #throttle(server: Socket, bytes: number, { bytesPerSecond }: Slow): void {
    server.pause()
    const untilMs = performance.now() + (bytes / bytesPerSecond) * 1000
    const timer = setInterval(() => {
      if (this.slow !== undefined && performance.now() < untilMs && !server.destroyed) return
      clearInterval(timer)
      server.resume()
    }, TICK_MS)
  }

  #end(pair: Pair): void {
    pair.dialer.destroy()
    pair.server.destroy()
    for (const other of this.#pairs) if (other.dialer === pair.dialer) this.#pairs.delete(other)
  }
}
