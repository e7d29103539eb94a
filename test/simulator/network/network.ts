/**
 * The network above Noise: links between machines that know each other's identity. As TCP does, it neither reorders nor
 * duplicates nor changes what goes through one link; it delays, stalls in one direction, delivers in a burst after a heal,
 * loses connections, and is slow.
 */
import { parseAddress } from '../../../shared/channel/address.ts'
import { HandshakeError } from '../../../shared/channel/handshake-error.ts'
import type {
  LinkListener,
  LinkListenerOptions,
  Link,
  LinkTarget,
  Transport,
} from '../../../shared/channel/transport.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Random } from '../../chaos/random.ts'
import type { Life, Machine } from '../nodes/machine.ts'
import type { Owner, Scheduler } from '../time/scheduler.ts'
import { type Parcel, VirtualStream } from './stream.ts'

/** One direction between two machines. */
export class Way {
  /** Least time on the way, and what comes on top of it at most. */
  readonly delayMs: number
  readonly jitterMs: number
  /** What waits for its turn on a slow link, in order; undefined on a fast one. */
  narrow: Narrow | undefined
  /** Waits for the heal, in order. */
  held: (() => void)[] | undefined
  /** What was kept back so far. */
  stalled = 0

  constructor(delayMs: number, jitterMs: number) {
    this.delayMs = delayMs
    this.jitterMs = jitterMs
  }
}

interface Waiting {
  readonly bytes: number
  readonly go: () => void
}

interface Narrow {
  readonly bytesPerMs: number
  readonly queue: Waiting[]
}

interface Listening extends LinkListenerOptions {
  readonly life: Life
  readonly inside: Set<VirtualStream>
}

/** Nobody's: what the network itself does. */
const NETWORK: Owner = { runsFromMs: (nowMs) => nowMs }
const RETRANSMIT_MS_MAX = 220

export class Network {
  readonly #scheduler: Scheduler
  readonly #random: Random
  /** By address: two where another one has taken it, and what knows of the first still goes there. */
  readonly #machines = new Map<string, readonly Machine[]>()
  readonly #ways = new Map<string, Way>()
  readonly #listeners: Listening[] = []
  readonly #streams = new Map<Life, Set<VirtualStream>>()

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler
    this.#random = random
  }

  attach(machine: Machine): void {
    this.#machines.set(machine.address, [machine])
  }

  /** Each of the machines is met by some of those who dial the address. */
  share(address: string, ...machines: readonly Machine[]): void {
    this.#machines.set(address, machines)
  }

  join(a: string, b: string, delayMs: number, jitterMs: number): void {
    this.#ways.set(`${a}>${b}`, new Way(delayMs, jitterMs))
    this.#ways.set(`${b}>${a}`, new Way(delayMs, jitterMs))
  }

  /** As far from everybody as the other one, on ways of its own. */
  joinLike(other: string, name: string): void {
    for (const [key, { delayMs, jitterMs }] of this.#ways) {
      const [from = '', to = ''] = key.split('>')
      if (from !== other && to !== other) continue
      const [own, far] = [from === other ? name : from, to === other ? name : to]
      this.#ways.set(`${own}>${far}`, new Way(delayMs, jitterMs))
    }
    for (const [from, to] of [
      [name, other],
      [other, name],
    ])
      this.#ways.set(`${from}>${to}`, new Way(0.3, 0.3))
  }

  way(from: string, to: string): Way {
    const way = this.#ways.get(`${from}>${to}`)
    if (way === undefined) throw new Error(`no way leads from ${from} to ${to}`)
    return way
  }

  cut(way: Way): void {
    way.held ??= []
  }

  /** What was kept back comes in a burst, as TCP sends it again. */
  heal(way: Way): void {
    const held = way.held ?? []
    way.held = undefined
    const atMs = this.#scheduler.nowMs + this.#random.fraction() * RETRANSMIT_MS_MAX
    for (const go of held) this.#scheduler.at(atMs, NETWORK, go)
  }

  slowDown(way: Way, bytesPerMs: number): void {
    way.narrow ??= { bytesPerMs, queue: [] }
  }

  /** What waits goes at once. */
  speedUp(way: Way): void {
    const waiting = way.narrow?.queue ?? []
    way.narrow = undefined
    for (const { go } of waiting) go()
  }

  /** Connections between two machines break, as when a middlebox forgets them or a damaged byte fails its tag. */
  breakLinks(a: string, b: string, isSpared: () => boolean = () => false): number {
    let broken = 0
    for (const streams of this.#streams.values()) {
      for (const stream of streams) {
        const far = this.#far.get(stream)
        if (far === undefined || stream.gone) continue
        if (stream.life.machine.name !== a || far.life.machine.name !== b || isSpared()) continue
        broken += 1
        for (const end of [stream, far])
          this.#scheduler.at(this.#scheduler.nowMs, end.life, () => end.receive({ kind: 'reset' }))
      }
    }
    return broken
  }

  transportOf(life: Life): Transport {
    return {
      connect: (target, signal) => this.#connect(life, target, signal),
      listen: (options) => Promise.resolve(this.#listen(life, options)),
    }
  }

  /** The kernel of a killed process closes its sockets; a machine without power says nothing. */
  end(life: Life, how: 'killed' | 'power lost'): void {
    for (const listener of this.#listeners.filter((one) => one.life === life)) this.#shut(listener)
    if (how === 'killed') for (const stream of this.#streams.get(life) ?? []) stream.orphan()
    this.#streams.delete(life)
  }

  readonly #far = new WeakMap<VirtualStream, VirtualStream>()

  #listenerOf(machine: Machine, address: string): Listening | undefined {
    return this.#listeners.find((listener) => listener.life.machine === machine && listener.address === address)
  }

  #shut(listener: Listening): void {
    const at = this.#listeners.indexOf(listener)
    if (at !== -1) this.#listeners.splice(at, 1)
  }

  #listen(life: Life, options: LinkListenerOptions): LinkListener {
    const { port } = parseAddress(options.address)
    if (this.#listenerOf(life.machine, options.address) !== undefined)
      throw new MacaroondError('port_in_use', `${options.address} is in use`)
    const listener: Listening = { ...options, life, inside: new Set() }
    this.#listeners.push(listener)
    return {
      port,
      close: async () => {
        this.#shut(listener)
        await Promise.all([...listener.inside].map((stream) => stream.whenGone))
      },
    }
  }

  #connect(life: Life, target: LinkTarget, signal: AbortSignal): Promise<Link> {
    const to = this.#machineAt(target.address)
    const { promise, resolve, reject } = Promise.withResolvers<Link>()
    const cancel = (): void => reject(failed(target.address, signal.reason))
    if (signal.aborted) cancel()
    signal.addEventListener('abort', cancel)
    const there = this.way(life.machine.name, to.name)
    const back = this.way(to.name, life.machine.name)
    this.#carry(there, 0, () => {
      if (!to.powered) return
      const listener = this.#listenerOf(to, target.address)
      if (listener === undefined || listener.life.over) {
        return this.#carry(back, 0, () =>
          this.#in(life, () => reject(failed(target.address, new Error('connect ECONNREFUSED')))),
        )
      }
      const [near, far] = this.#pair(life, listener.life)
      this.#carry(back, 0, () => {
        if (signal.aborted || life.over) return near.orphan()
        this.#in(life, () => resolve(this.#dialed(near, target)))
      })
      this.#in(listener.life, () => this.#arrived(listener, far, life.machine.address))
    })
    return promise.finally(() => signal.removeEventListener('abort', cancel))
  }

  #pair(near: Life, far: Life): readonly [VirtualStream, VirtualStream] {
    const there = this.#pipe(this.way(near.machine.name, far.machine.name), () => [a, b])
    const back = this.#pipe(this.way(far.machine.name, near.machine.name), () => [b, a])
    const a = new VirtualStream(near, 'outbound', there)
    const b = new VirtualStream(far, 'inbound', back)
    this.#far.set(a, b)
    this.#far.set(b, a)
    this.#remember(a)
    this.#remember(b)
    return [a, b]
  }

  #remember(stream: VirtualStream): void {
    const streams = this.#streams.get(stream.life) ?? new Set()
    this.#streams.set(stream.life, streams.add(stream))
    void stream.whenGone.then(() => streams.delete(stream))
  }

  /** One direction of a link; parcels arrive in the order in which they were sent. */
  #pipe(way: Way, ends: () => readonly [VirtualStream, VirtualStream]): (parcel: Parcel) => void {
    const order = { lastMs: 0 }
    return (parcel) => {
      const [from, to] = ends()
      const bytes = parcel.kind === 'bytes' ? parcel.bytes.byteLength : 0
      // A reset is one packet that nobody sends again: whoever writes into a closed socket gets the next one.
      if (parcel.kind === 'reset' && way.held !== undefined) return
      this.#carry(way, bytes, () => this.#deliver(parcel, from, to, bytes), order)
    }
  }

  #deliver(parcel: Parcel, from: VirtualStream, to: VirtualStream, bytes: number): void {
    if (from.delivered(bytes)) this.#in(from.life, () => from.drained())
    if (!to.gone) return this.#in(to.life, () => to.receive(parcel))
    if (parcel.kind !== 'bytes') return
    // Sent again until somebody answers: whoever is there then knows nothing of this connection.
    const again = (): void => this.#deliver(parcel, from, to, 0)
    if (!to.life.machine.powered)
      return void this.#scheduler.at(this.#scheduler.nowMs + RETRANSMIT_MS_MAX, NETWORK, again)
    const back = this.way(to.life.machine.name, from.life.machine.name)
    if (back.held === undefined) this.#carry(back, 0, () => this.#in(from.life, () => from.receive({ kind: 'reset' })))
  }

  #carry(way: Way, bytes: number, arrive: () => void, order: { lastMs: number } = { lastMs: 0 }): void {
    if (way.held !== undefined) {
      way.stalled += 1
      way.held.push(() => this.#carry(way, bytes, arrive, order))
      return
    }
    const go = (): void => {
      const onTheWayMs = way.delayMs + this.#random.fraction() * way.jitterMs
      order.lastMs = Math.max(order.lastMs, this.#scheduler.nowMs + onTheWayMs)
      this.#scheduler.at(order.lastMs, NETWORK, arrive)
    }
    if (way.narrow === undefined) return go()
    way.narrow.queue.push({ bytes, go })
    if (way.narrow.queue.length === 1) this.#squeeze(way, way.narrow)
  }

  /** One after the other, whatever connection they belong to. */
  #squeeze(way: Way, narrow: Narrow): void {
    const [first] = narrow.queue
    if (first === undefined) return
    this.#scheduler.at(this.#scheduler.nowMs + first.bytes / narrow.bytesPerMs, NETWORK, () => {
      if (way.narrow !== narrow) return
      narrow.queue.shift()
      first.go()
      this.#squeeze(way, narrow)
    })
  }

  /** At once, unless the process stands still. */
  #in(life: Life, call: () => void): void {
    const { nowMs } = this.#scheduler
    if (life.runsFromMs(nowMs) <= nowMs) call()
    else this.#scheduler.at(nowMs, life, call)
  }

  #dialed(carrier: VirtualStream, { peerId, identity, cluster }: LinkTarget): Link {
    const secure: Link['secure'] = async (signal) => {
      this.#prove(carrier, { peer: identity.peerId, cluster })
      const proof = await proven(carrier, signal)
      if (proof.peer !== peerId) throw new MacaroondError('peer_mismatch', `expected ${peerId}, found ${proof.peer}`)
      return { secure: carrier, remotePeer: proof.peer }
    }
    return { carrier, remoteAddress: parseAddress(`${this.#far.get(carrier)?.life.machine.address}:1`).host, secure }
  }

  #arrived(listener: Listening, carrier: VirtualStream, remoteAddress: string): void {
    listener.inside.add(carrier)
    void carrier.whenGone.then(() => listener.inside.delete(carrier))
    const { identity, cluster } = listener
    const secure: Link['secure'] = async (signal) => {
      const proof = await proven(carrier, signal)
      if (proof.cluster !== cluster) throw new HandshakeError('the peer names another cluster', { otherCluster: true })
      this.#prove(carrier, { peer: identity.peerId, cluster })
      return { secure: carrier, remotePeer: proof.peer }
    }
    listener.onLink({ carrier, remoteAddress, secure })
  }

  #prove(carrier: VirtualStream, proof: Omit<Extract<Parcel, { kind: 'proof' }>, 'kind'>): void {
    carrier.prove({ kind: 'proof', ...proof })
  }

  #machineAt(address: string): Machine {
    const [first, ...others] = this.#machines.get(parseAddress(address).host) ?? []
    const machine = others.length === 0 ? first : this.#random.pick([first, ...others])
    if (machine === undefined) throw new MacaroondError('connect_failed', `nothing is at ${address}`)
    return machine
  }
}

async function proven(
  carrier: VirtualStream,
  signal: AbortSignal,
): ReturnType<() => VirtualStream['proof']['promise']> {
  const broken = Promise.withResolvers<never>()
  const cancel = (): void => broken.reject(signal.reason)
  if (signal.aborted) cancel()
  signal.addEventListener('abort', cancel)
  try {
    return await Promise.race([carrier.proof.promise, broken.promise])
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

function failed(address: string, cause: unknown): MacaroondError {
  if (cause instanceof MacaroondError && cause.code === 'closed') return cause
  const text = cause instanceof Error ? cause.message : 'closed'
  return new MacaroondError('connect_failed', `cannot connect to ${address}: ${text}`, { cause })
}
