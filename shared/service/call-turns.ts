/**
 * Shares a node's time among the peers that call it. Calls are served at once until the present time slice is used up. Then
 * they wait, and peers take turns. Between two slices the event loop does all other work: pings, leases, commits. A connection
 * whose call waits is not read, so at most one call a connection waits here, and the others wait at the peer.
 */
import type { InTurn } from '../channel/rpc-server.ts'
import type { Clock, Timers } from '../clock.ts'
import { CALLS_SLICE_MS } from '../limits.ts'
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
  #sliceStartMs = -Infinity
  #draining = false

  constructor(clock: Pick<Clock, 'monotonicMs'> & Pick<Timers, 'soon'>) {
    this.#clock = clock
  }

  /** Returns the `InTurn` of one connection of the peer. An error of a call is thrown, or rejects the promise. */
  of(peer: string): InTurn {
    return (serve) => {
      if (!this.#hasTime()) return this.#later(peer, serve)
      serve()
      return undefined
    }
  }

  /**
   * True if a call may be served at once. At most half of the time goes to such calls, so that a flood cannot take all of it.
   */
  #hasTime(): boolean {
    if (this.#draining) return false
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#sliceStartMs > 2 * CALLS_SLICE_MS) this.#sliceStartMs = nowMs
    return nowMs - this.#sliceStartMs <= CALLS_SLICE_MS
  }

  #later(peer: string, serve: () => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#queue.add({ peer, serve, resolve, reject })
    if (!this.#draining) this.#clock.soon(() => void this.#drain())
    this.#draining = true
    return promise
  }

  /** Never rejects. The tick after each call lets its connection read the next one, which then takes its turn. */
  async #drain(): Promise<void> {
    const endMs = this.#clock.monotonicMs() + CALLS_SLICE_MS
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
