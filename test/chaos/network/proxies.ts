/**
 * The same cuts without root: every pair of hosts has a TCP proxy between them, which holds back what a cut would lose
 * and delivers it after the heal, as TCP does by sending it again.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Cut, Direction, Network } from './network.ts'

interface Link {
  readonly server: Server
  readonly address: string
  readonly sockets: Set<Socket>
  /** Towards the dialer, and away from it. */
  readonly held: { back: boolean; forth: boolean }
  readonly waiting: (() => void)[]
}

export class Proxies implements Network {
  readonly kind = 'proxies'
  readonly #ports: ReadonlyMap<string, number>
  readonly #links = new Map<string, Link>()
  #keptBack = 0

  /** Ports that the nodes listen on, by host. */
  constructor(ports: ReadonlyMap<string, number>) {
    this.#ports = ports
  }

  listenAddress(name: string): string {
    return `127.0.0.1:${this.#ports.get(name) ?? 0}`
  }

  async dialAddress(from: string, to: string): Promise<string> {
    const name = `${from}>${to}`
    const link = this.#links.get(name) ?? (await this.#open(to))
    this.#links.set(name, link)
    return link.address
  }

  on(): readonly string[] {
    return []
  }

  cut({ at, other, direction }: Cut): void {
    for (const [name, link] of this.#links) {
      if (name === `${at}>${other}`) hold(link, direction)
      if (name === `${other}>${at}`) hold(link, REVERSED[direction])
    }
  }

  heal(at: string): number {
    const kept = this.#keptBack
    this.#keptBack = 0
    for (const [name, link] of this.#links) {
      if (!name.split('>').includes(at)) continue
      Object.assign(link.held, { back: false, forth: false })
      for (const deliver of link.waiting.splice(0)) deliver()
    }
    return kept
  }

  async remove(): Promise<void> {
    for (const { server, sockets } of this.#links.values()) {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  async #open(to: string): Promise<Link> {
    const server = createServer((dialer) => this.#join(link, dialer, to))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const link: Link = { server, address, sockets: new Set(), held: { back: false, forth: false }, waiting: [] }
    return link
  }

  #join(link: Link, dialer: Socket, to: string): void {
    const target = connect({ host: '127.0.0.1', port: this.#ports.get(to) ?? 0, noDelay: true })
    dialer.setNoDelay(true)
    const end = (): void => {
      dialer.destroy()
      target.destroy()
    }
    for (const socket of [dialer, target]) {
      link.sockets.add(socket)
      socket.on('error', end).on('close', () => this.#when(link, 'both', end))
    }
    dialer.on('data', (chunk) => this.#when(link, 'forth', () => target.write(chunk)))
    target.on('data', (chunk) => this.#when(link, 'back', () => dialer.write(chunk)))
  }

  /** Now, or once the way is free; in order, so everything behind something that is held waits as well. */
  #when(link: Link, way: 'back' | 'forth' | 'both', deliver: () => unknown): void {
    const blocked = way === 'both' ? link.held.back || link.held.forth : link.held[way]
    if (!blocked) return void deliver()
    this.#keptBack += 1
    link.waiting.push(deliver)
  }
}

const REVERSED: Readonly<Record<Direction, Direction>> = { in: 'out', out: 'in', both: 'both' }

/** `in` at the dialer is what comes back to it. */
function hold({ held }: Link, direction: Direction): void {
  if (direction !== 'out') held.back = true
  if (direction !== 'in') held.forth = true
}
