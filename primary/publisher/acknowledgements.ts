/** Pure: who has acknowledged which revocation, and who waits for that. */

export interface Waiter {
  readonly seq: number
  readonly resolve: () => void
}

/** Revocations are durable once any one replica has them on its disk. */
export class Acknowledgements {
  readonly #bySeq = new Map<string, number>()
  #waiters: Waiter[] = []

  /** A replica's number only rises while it is the same timeline. */
  acknowledge(replica: string, seq: number): void {
    this.#bySeq.set(replica, Math.max(seq, this.#bySeq.get(replica) ?? 0))
    const durable = this.durable
    const ready = this.#waiters.filter((waiter) => waiter.seq <= durable)
    this.#waiters = this.#waiters.filter((waiter) => waiter.seq > durable)
    for (const { resolve } of ready) resolve()
  }

  get durable(): number {
    return Math.max(0, ...this.#bySeq.values())
  }

  of(replica: string): number | undefined {
    return this.#bySeq.get(replica)
  }

  /** Calls `resolve` once a replica has `seq`; the returned function stops waiting. */
  wait(seq: number, resolve: () => void): () => void {
    const waiter: Waiter = { seq, resolve }
    if (seq <= this.durable) resolve()
    else this.#waiters.push(waiter)
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
    }
  }
}
