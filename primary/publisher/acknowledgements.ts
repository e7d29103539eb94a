/** The newest revocation that each replica has acknowledged, and the callers that wait for an acknowledgement. */
import { Threshold } from '../durability/threshold.ts'

/** A revocation is durable once any one replica has it on its disk. */
export class Acknowledgements {
  readonly #bySeq = new Map<string, number>()
  readonly #durable = new Threshold()

  /** A replica's number only rises within a timeline. */
  acknowledge(replica: string, seq: number): void {
    this.#bySeq.set(replica, Math.max(seq, this.#bySeq.get(replica) ?? 0))
    this.#durable.raise(seq)
  }

  /** Number of the newest revocation that some replica has. */
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
