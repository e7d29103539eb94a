/**
 * Tracks the newest revocation that each replica has acknowledged, and resumes the callers that wait for an acknowledgement.
 */
import { Threshold } from '../durability/threshold.ts'

/** A revocation is durable once any one replica has it on its disk. */
export class Acknowledgements {
  readonly #seqs = new Map<string, number>()
  readonly #durable = new Threshold()

  /** Ignores a lower number, because a replica's number only rises within a timeline. */
  acknowledge(replica: string, seq: number): void {
    this.#seqs.set(replica, Math.max(seq, this.#seqs.get(replica) ?? 0))
    this.#durable.raise(seq)
  }

  /** Number of the newest revocation that some replica has. */
  get durable(): number {
    return this.#durable.reached
  }

  of(replica: string): number | undefined {
    return this.#seqs.get(replica)
  }

  /** Calls `resolve` once a replica has `seq`; the returned function stops waiting. */
  wait(seq: number, resolve: () => void): () => void {
    return this.#durable.wait(seq, resolve)
  }
}
