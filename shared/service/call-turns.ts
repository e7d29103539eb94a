/**
 * Shares a node's time among the peers that call it. A call is served at once while there is time for it in this stretch;
 * beyond it calls wait, and peers take turns. Between two stretches everything else has its turn: pings, leases, commits. A
 * connection whose call waits is not read on, so what waits is one call a connection, and the rest is held up at its peer.
 */
import type { InTurn } from '../channel/rpc-server.ts'
import type { Clock, Timers } from '../clock.ts'
import { CALLS_STRETCH_MS } from '../limits.ts'
import { FairQueue } from './fair-queue.ts'

interface Waiting {
  readonly peer: string
  readonly serve: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class CallTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'> & Pick<Timers, 'soon'>
  readonly #queue = new FairQueue<Waiting>({
    itemsMax: Infinity,
    charsMax: Infinity,
    shareOf: ({ peer }) => ({ caller: peer, org: '', chars: 0 }),
  })
  #stretchMs = -Infinity
  #draining = false

  constructor(clock: Pick<Clock, 'monotonicMs'> & Pick<Timers, 'soon'>) {
    this.#clock = clock
  }

  /** For one connection of that peer. What a call throws is thrown, or rejects. */
  of(peer: string): InTurn {
    return (serve) => {
      if (!this.#hasTime()) return this.#later(peer, serve)
      serve()
      return undefined
    }
  }

  /** Half of the time at most is served out of turn, so that a flood always finds others waiting beside it. */
  #hasTime(): boolean {
    if (this.#draining) return false
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#stretchMs > 2 * CALLS_STRETCH_MS) this.#stretchMs = nowMs
    return nowMs - this.#stretchMs <= CALLS_STRETCH_MS
  }

  #later(peer: string, serve: () => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#queue.add({ peer, serve, resolve, reject })
    if (!this.#draining) this.#clock.soon(() => void this.#drain())
    this.#draining = true
    return promise
  }

  /** Never rejects. After each call its connection has the next one ready, if it has one. */
  async #drain(): Promise<void> {
    const endMs = this.#clock.monotonicMs() + CALLS_STRETCH_MS
    for (let next = this.#queue.take(); next !== undefined; next = this.#queue.take()) {
      serve(next)
      await new Promise<void>((resolve) => process.nextTick(resolve))
      if (this.#clock.monotonicMs() >= endMs) break
    }
    this.#draining = this.#queue.size > 0
    if (this.#draining) this.#clock.soon(() => void this.#drain())
  }
}

function serve({ serve: call, resolve, reject }: Waiting): void {
  try {
    call()
    resolve()
  } catch (error) {
    reject(error)
  }
}
