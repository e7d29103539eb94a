/** Who has acknowledged which revocation, and who waits for that. */
import { Threshold } from '../durability/threshold.ts'

/** Revocations are durable once any one replica has them on its disk. */
export class Acknowledgements {
  readonly #bySeq = new Map<string, number>()
  readonly #durable = new Threshold()

  /** A replica's number only rises while it is the same timeline. */
  acknowledge(replica: string, seq: number): void {
    this.#bySeq.set(replica, Math.max(seq, this.#bySeq.get(replica) ?? 0))
    this.#durable.raise(seq)
  }

  get durable(): number {
    return this.#durable.reached
  }

  of(replica: string): number | undefined {
    return this.#bySeq.get(replica)
  }

  /** Calls `resolve` once a replica has `seq`; the returned function stops waiting. */
  wait(seq: number, resolve: () => void): () => void {
    return this.#durable.wait(seq, resolve)
  }
}
