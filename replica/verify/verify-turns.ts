/**
 * Shares a replica's time among the peers that verify. A call is served at once while there is time for it in this stretch;
 * beyond it calls wait, and peers take turns. Between two stretches everything else has its turn: pings, leases, revocations.
 * All peers that no list names are one peer here, because identities cost nothing.
 */
import type { RpcCaller, RpcMethod } from '../../shared/channel/rpc-server.ts'
import type { Clock, Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { RETRY_AFTER_MS, VERIFY_QUEUED_CHARS_MAX, VERIFY_QUEUED_MAX, VERIFY_STRETCH_MS } from '../../shared/limits.ts'
import { FairQueue } from '../../shared/service/fair-queue.ts'

const GUESTS = 'guests'

interface Waiting {
  readonly peer: string
  readonly chars: number
  readonly signal: AbortSignal
  readonly serve: () => void
  readonly reject: (error: MacaroondError) => void
}

export class VerifyTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'> & Pick<Timers, 'soon'>
  readonly #queue = new FairQueue<Waiting>({
    itemsMax: VERIFY_QUEUED_MAX,
    charsMax: VERIFY_QUEUED_CHARS_MAX,
    shareOf: ({ peer, chars }) => ({ caller: peer, org: '', chars }),
  })
  #stretchMs = -Infinity
  #draining = false

  constructor(clock: Pick<Clock, 'monotonicMs'> & Pick<Timers, 'soon'>) {
    this.#clock = clock
  }

  /** The same methods, each call in its peer's turn. */
  sharing(methods: Readonly<Record<string, RpcMethod>>, isGuest: boolean): Record<string, RpcMethod> {
    const share =
      (method: RpcMethod): RpcMethod =>
      (params, caller) =>
        this.#hasTime() ? method(params, caller) : this.#later(method, params, caller, isGuest)
    return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, share(method)]))
  }

  /** Half of the time at most is served out of turn, so that a flood always finds others waiting beside it. */
  #hasTime(): boolean {
    if (this.#queue.size > 0) return false
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#stretchMs > 2 * VERIFY_STRETCH_MS) this.#stretchMs = nowMs
    return nowMs - this.#stretchMs <= VERIFY_STRETCH_MS
  }

  #later(method: RpcMethod, params: unknown, caller: RpcCaller, isGuest: boolean): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const serve = (): void => {
      try {
        resolve(method(params, caller))
      } catch (error) {
        reject(error)
      }
    }
    const peer = isGuest ? GUESTS : caller.peerId
    const waiting = { peer, chars: JSON.stringify(params ?? null).length, signal: caller.signal, serve, reject }
    for (const { reject: refuse } of this.#queue.add(waiting)) refuse(overloaded())
    if (!this.#draining) this.#clock.soon(() => this.#drain())
    this.#draining = true
    return promise
  }

  #drain(): void {
    const endMs = this.#clock.monotonicMs() + VERIFY_STRETCH_MS
    do {
      const next = this.#queue.take()
      if (next === undefined) break
      if (next.signal.aborted) next.reject(new MacaroondError('closed', 'the caller is gone'))
      else next.serve()
    } while (this.#clock.monotonicMs() < endMs)
    this.#draining = this.#queue.size > 0
    if (this.#draining) this.#clock.soon(() => this.#drain())
  }
}

function overloaded(): MacaroondError {
  return new MacaroondError('overloaded', 'too many verifications are waiting', {
    hint: 'try again in a second, or ask another replica',
    retryAfterMs: RETRY_AFTER_MS,
  })
}
