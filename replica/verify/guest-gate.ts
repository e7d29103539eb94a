/**
 * Limits the share of a replica's time that unlisted peers (guests) may use, if `verify` is open to all. All guests have one
 * debt: it grows by the cost of their calls and shrinks with real time, in proportion to their share. Guests are refused while
 * it is above `burstMs`, so that listed workers always get their part.
 */
import type { RpcMethod } from '../../shared/channel/rpc-server.ts'
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { GUEST_TIME_SHARE, GUEST_TIME_BURST_MS } from '../../shared/limits.ts'

interface GuestShare {
  /** Share of real time, 0 to 1. */
  readonly share: number
  readonly burstMs: number
}

/** The debt in milliseconds at the monotonic time `atMs`. It shrinks with time. */
interface GuestDebt {
  readonly debtMs: number
  readonly atMs: number
}

const NO_DEBT: GuestDebt = { debtMs: 0, atMs: 0 }

/** Milliseconds until a guest is served again; 0 if it is served now. */
function guestWaitMs(state: GuestDebt, { share, burstMs }: GuestShare, nowMs: number): number {
  return Math.max(0, (debtAt(state, share, nowMs) - burstMs) / share)
}

/** The debt after a call that cost `costMs`. */
function guestServed(state: GuestDebt, { share }: GuestShare, nowMs: number, costMs: number): GuestDebt {
  return { debtMs: debtAt(state, share, nowMs) + costMs, atMs: nowMs }
}

function debtAt({ debtMs, atMs }: GuestDebt, share: number, nowMs: number): number {
  return Math.max(0, debtMs - (nowMs - atMs) * share)
}

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
