/** Refuses calls of unlisted peers while they have used up their share of this replica's time (guest-time.ts). */
import type { RpcMethod } from '../../shared/channel/rpc-server.ts'
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { GUEST_TIME_SHARE, GUEST_TIME_BURST_MS } from '../../shared/limits.ts'
import { guestServed, guestWaitMs, NO_DEBT, type GuestDebt, type GuestShare } from './guest-time.ts'

const SHARE: GuestShare = { share: GUEST_TIME_SHARE, burstMs: GUEST_TIME_BURST_MS }
/** Estimated cost of a call outside the measured part: decryption, JSON, encryption. */
const CALL_COST_MS = 0.05

export class GuestGate {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #debt: GuestDebt = NO_DEBT

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** Wraps methods so that they throw overloaded while guests have used up their share. */
  guarded(methods: Readonly<Record<string, RpcMethod>>): Record<string, RpcMethod> {
    const guard =
      (method: RpcMethod): RpcMethod =>
      (...call) =>
        this.#serve(() => method(...call))
    return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, guard(method)]))
  }

  #serve(call: () => unknown): unknown {
    const startedMs = this.#clock.monotonicMs()
    const retryAfterMs = Math.ceil(guestWaitMs(this.#debt, SHARE, startedMs))
    if (retryAfterMs > 0) throw tooMuch(retryAfterMs)
    try {
      return call()
    } finally {
      const nowMs = this.#clock.monotonicMs()
      this.#debt = guestServed(this.#debt, SHARE, nowMs, nowMs - startedMs + CALL_COST_MS)
    }
  }
}

function tooMuch(retryAfterMs: number): MacaroondError {
  return new MacaroondError('overloaded', 'unlisted peers have used up their share of this replica', {
    hint: 'ask the operator to list this peer as a worker: listed workers have capacity of their own',
    retryAfterMs,
  })
}
