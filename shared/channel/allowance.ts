/**
 * Limits the calls in flight of one peer, by kind, over all of its connections. A call counts until it is done, even if its
 * connection is gone, so a peer gets no second allowance by dialing again.
 */
import { MacaroondError } from '../errors.ts'
import { RETRY_AFTER_MS } from '../limits.ts'
import type { RpcCaller, RpcMethod } from './rpc-server.ts'

/** Counts calls by peer and kind. A node has one for all its connections. */
export class Allowance<Kind extends string> {
  readonly #limits: Readonly<Record<Kind, number>>
  readonly #inFlight = new Map<string, number>()

  constructor(limits: Readonly<Record<Kind, number>>) {
    this.#limits = limits
  }

  /** Wraps a method: it throws overloaded, before any work, while too many calls of its kind are in flight for the peer. */
  guarded(kind: Kind, method: RpcMethod): RpcMethod {
    return async (params, caller) => {
      const key = this.#take(kind, caller)
      try {
        return await method(params, caller)
      } finally {
        this.#giveBack(key)
      }
    }
  }

  #take(kind: Kind, { peerId }: RpcCaller): string {
    const key = `${peerId} ${kind}`
    const count = this.#inFlight.get(key) ?? 0
    const max = this.#limits[kind]
    if (count >= max) {
      throw new MacaroondError('overloaded', `${max} calls of this kind are in flight for this peer already`, {
        hint: 'wait for some of the answers',
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    this.#inFlight.set(key, count + 1)
    return key
  }

  #giveBack(key: string): void {
    const left = (this.#inFlight.get(key) ?? 1) - 1
    if (left === 0) this.#inFlight.delete(key)
    else this.#inFlight.set(key, left)
  }
}
