/**
 * Shell around the core in grants.ts: it supplies the time, and wakes callers that wait until a revocation binds everywhere. A
 * primary keeps one for its replicas, a replica one for its workers. Every grant is recorded here before its answer is sent.
 */
import type { CallOff, Clock, Timers } from '../clock.ts'
import { Grants, type Coverage, type GrantsOptions, type HolderName } from './grants.ts'
import { compareMarks, type Mark } from './mark.ts'

export interface GrantBookOptions extends Omit<GrantsOptions, 'startedMs'> {
  readonly clock: BookClock
}

type BookClock = Pick<Clock, 'monotonicMs'> & Pick<Timers, 'after'>

interface Waiter {
  readonly mark: Mark
  readonly resolve: () => void
}

/** Node's timers may fire slightly early, and a lease must have ended before it is treated as ended. */
const TIMER_SLACK_MS = 2

export class GrantBook {
  readonly #clock: BookClock
  readonly #grants: Grants
  readonly #waiters = new Set<Waiter>()
  #callOff: CallOff | undefined

  constructor({ clock, ...options }: GrantBookOptions) {
    this.#clock = clock
    this.#grants = new Grants({ ...options, startedMs: clock.monotonicMs() })
  }

  /** Records a lease. False if there are too many holders; no lease may be given then. */
  grant(name: HolderName, lease: { readonly mark: Mark; readonly leaseMs: number }): boolean {
    return this.#grants.grant(name, lease, this.#clock.monotonicMs())
  }

  /** Records that the holder, and every holder whose lease depends on it, has applied everything up to the mark. */
  acknowledge(name: HolderName, mark: Mark): void {
    this.#grants.acknowledge(name, mark, this.#clock.monotonicMs())
    this.#resolveCovered()
  }

  /** Until this monotonic time, leases that an earlier process granted may still run. */
  get startUntilMs(): number {
    return this.#grants.startUntilMs
  }

  coverage(mark: Mark): Coverage[] {
    return this.#grants.coverage(mark, this.#clock.monotonicMs())
  }

  /**
   * Resolves when every holder that may judge has the revocation of the mark: each has acknowledged it, or its lease is over.
   * That takes at most the longest lease. If the signal aborts, the promise stays pending.
   */
  covered(mark: Mark, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = { mark, resolve }
      signal?.addEventListener('abort', () => this.#waiters.delete(waiter), { once: true })
      this.#waiters.add(waiter)
      this.#resolveCovered()
    })
  }

  close(): void {
    this.#waiters.clear()
    this.#callOff?.()
  }

  #resolveCovered(): void {
    this.#callOff?.()
    if (this.#waiters.size === 0) return
    const nowMs = this.#clock.monotonicMs()
    const covered = this.#grants.coveredUpTo(nowMs)
    let nextMs = Infinity
    for (const waiter of this.#waiters) {
      if (compareMarks(waiter.mark, covered) > 0) {
        nextMs = Math.min(nextMs, this.#grants.coveredByMs(waiter.mark, nowMs))
        continue
      }
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
    if (this.#waiters.size === 0) return
    this.#callOff = this.#clock.after(nextMs - nowMs + TIMER_SLACK_MS, () => this.#resolveCovered())
  }
}
