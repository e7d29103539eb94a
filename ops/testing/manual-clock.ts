/** A clock that stands still until it is moved. Its wall time, monotonic time and boottime move together. */
import type { CallOff, NodeClock } from '../../shared/clock.ts'

interface Timer {
  readonly atMs: number
  readonly call: () => void
}

/** Timers fire inside of `move`, so that nothing here depends on the event loop, or on timers that a test replaces. */
export class ManualClock implements NodeClock {
  readonly #startMs: number
  #elapsedMs = 0
  readonly #timers = new Set<Timer>()
  readonly #intervals = new Set<() => void>()

  /** `startMs`: unix milliseconds. */
  constructor(startMs: number) {
    this.#startMs = startMs
  }

  readonly wallMs = (): number => this.#startMs + this.#elapsedMs

  readonly monotonicMs = (): number => this.#elapsedMs

  readonly boottimeMs = (): number => this.#elapsedMs

  readonly after = (ms: number, call: () => void): CallOff => {
    const timer = { atMs: this.#elapsedMs + ms, call }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  readonly every = (_ms: number, call: () => void): CallOff => {
    this.#intervals.add(call)
    return () => void this.#intervals.delete(call)
  }

  readonly soon = (call: () => void): void => queueMicrotask(call)

  /** Moves the time ahead. Timers that are due fire in their order, and each interval fires once. */
  move(ms: number): void {
    this.#elapsedMs += ms
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#elapsedMs).toSorted((a, b) => a.atMs - b.atMs)
    for (const timer of due) if (this.#timers.delete(timer)) timer.call()
    for (const call of this.#intervals) call()
  }

  /** This clock for parts that wait for others: here nothing comes later, so a wait ends in this turn of the event loop. */
  get prompt(): NodeClock {
    const { wallMs, monotonicMs, boottimeMs, every, soon } = this
    const after = (_ms: number, call: () => void): CallOff => {
      let wanted = true
      queueMicrotask(() => wanted && call())
      return () => {
        wanted = false
      }
    }
    return { wallMs, monotonicMs, boottimeMs, after, every, soon }
  }
}
