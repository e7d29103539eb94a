/**
 * The shell of the grants core: gives it the time, and wakes whoever waits until a revocation binds everywhere. A primary
 * keeps one for its replicas, a replica one for its workers; what is granted is recorded here before the answer goes out.
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

/** Timers of Node may come a little early; a lease must be over when it is called over. */
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

  /** False when there are too many holders: then no lease may be given. */
  grant(name: HolderName, lease: { readonly mark: Mark; readonly leaseMs: number }): boolean {
    return this.#grants.grant(name, lease, this.#clock.monotonicMs())
  }

  /** The holder, and everybody whose lease hangs on its own, has applied everything up to the mark. */
  acknowledge(name: HolderName, mark: Mark): void {
    this.#grants.acknowledge(name, mark, this.#clock.monotonicMs())
    this.#look()
  }

  /** Until then, on the monotonic clock, holders that an earlier process had may be anywhere. */
  get startUntilMs(): number {
    return this.#grants.startUntilMs
  }

  coverage(mark: Mark): Coverage[] {
    return this.#grants.coverage(mark, this.#clock.monotonicMs())
  }

  /**
   * Resolves when nobody who may judge is without what the mark stands for: each has acknowledged it, or its lease is over.
   * That is never later than the longest lease. Pending as well when the signal ends the waiting.
   */
  covered(mark: Mark, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = { mark, resolve }
      signal?.addEventListener('abort', () => this.#waiters.delete(waiter), { once: true })
      this.#waiters.add(waiter)
      this.#look()
    })
  }

  close(): void {
    this.#waiters.clear()
    this.#callOff?.()
  }

  #look(): void {
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
    this.#callOff = this.#clock.after(nextMs - nowMs + TIMER_SLACK_MS, () => this.#look())
  }
}
