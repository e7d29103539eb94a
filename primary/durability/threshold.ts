/**
 * A number that only rises, and the callbacks that wait until it reaches a value. Durability waits on it for acknowledgements
 * and for the archive.
 */

interface Waiter {
  readonly number: number
  readonly resolve: () => void
}

export class Threshold {
  #waiters: Waiter[] = []
  #reached = 0

  get reached(): number {
    return this.#reached
  }

  /** Ignores a lower number, which may arrive late. */
  raise(reached: number): void {
    if (reached <= this.#reached) return
    this.#reached = reached
    const ready = this.#waiters.filter((waiter) => waiter.number <= reached)
    this.#waiters = this.#waiters.filter((waiter) => waiter.number > reached)
    for (const { resolve } of ready) resolve()
  }

  /** Calls `resolve` once `number` is reached; the returned function stops waiting. */
  wait(number: number, resolve: () => void): () => void {
    const waiter: Waiter = { number, resolve }
    if (number <= this.#reached) resolve()
    else this.#waiters.push(waiter)
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
    }
  }
}
