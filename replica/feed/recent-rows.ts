/**
 * The newest revocations, kept in memory to be sent to workers. Each comes from the stream or from the pages, whichever has it
 * first. A worker that is behind the oldest of them starts with an empty cache instead.
 */
import { assert } from '../../shared/errors.ts'
import { FEED_ROWS_KEPT } from '../../shared/limits.ts'
import { encodeMessage } from '../../shared/protocol/message.ts'
import { recordOf, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { REVOCATIONS_A_MESSAGE, type Stretch } from '../../shared/protocol/stretch.ts'
import type { History } from '../revocations/history.ts'

/** The encoded message with the rows after one number. It is shared by all workers at that number. */
export interface Batch {
  /** Number of the last revocation in the message. */
  readonly last: number
  readonly message: Uint8Array
}

export class RecentRows {
  #history: History | undefined
  /** The rows after `#from` up to `#last`, oldest first, except purged ones. */
  #rows: RevocationRow[] = []
  #from = 0
  #last = 0
  readonly #rowsKept: number
  /** The message that was encoded last. */
  #batch: (Batch & { readonly seq: number }) | undefined

  constructor(rowsKept: number = FEED_ROWS_KEPT) {
    this.#rowsKept = rowsKept
  }

  /** Undefined before the first call of `advanceTo` or `take`. */
  get history(): History | undefined {
    return this.#history
  }

  /** Number up to which all revocations of this history are known. */
  get last(): number {
    return this.#last
  }

  /**
   * Notes that the replica enforces all revocations of this history up to `seq`. If some of them did not come as rows, all rows
   * are dropped, and workers that are behind start empty.
   */
  advanceTo(history: History, seq: number): void {
    if (this.#isPast(history)) return
    if (history.timeline !== this.#history?.timeline || seq > this.#last) this.#begin(history, seq)
  }

  /** Adds rows of one history. Rows that are known already are ignored. */
  take(history: History, { after, rows, through }: Stretch): void {
    if (this.#isPast(history)) return
    if (history.timeline !== this.#history?.timeline || after > this.#last) this.#begin(history, after)
    this.#batch = undefined
    this.#rows.push(...rows.filter(({ seq }) => seq > this.#last))
    this.#last = Math.max(this.#last, through)
    if (this.#rows.length > 2 * this.#rowsKept) this.#forget(this.#rows.length - this.#rowsKept)
  }

  /** True if all rows after `seq` are here. */
  has(seq: number): boolean {
    return seq >= this.#from && seq <= this.#last
  }

  /** The message with the next rows after `seq`, which must not be the last. It is encoded once for all workers at `seq`. */
  batchAfter(seq: number): Batch {
    assert(this.has(seq) && seq < this.#last, 'there are rows after the number')
    if (this.#batch?.seq === seq) return this.#batch
    const from = this.#indexAfter(seq)
    const rows = this.#rows.slice(from, from + REVOCATIONS_A_MESSAGE)
    const last = from + rows.length === this.#rows.length ? this.#last : (rows.at(-1)?.seq ?? seq)
    const message = encodeMessage({ t: 'revoked', after: seq, rows: rows.map(recordOf), through: last })
    this.#batch = { seq, last, message }
    return this.#batch
  }

  /** Index of the first row after `seq`, by bisection: purged rows leave gaps, so numbers are not indexes. */
  #indexAfter(seq: number): number {
    let low = 0
    for (let high = this.#rows.length; low < high;) {
      const middle = (low + high) >>> 1
      if ((this.#rows[middle]?.seq ?? Infinity) <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  #forget(count: number): void {
    this.#from = this.#rows[count - 1]?.seq ?? this.#from
    this.#rows = this.#rows.slice(count)
  }

  /** True for an earlier epoch: its pages may still arrive while the stream is in the next one. */
  #isPast({ epoch }: History): boolean {
    return epoch < (this.#history?.epoch ?? 0)
  }

  #begin(history: History, seq: number): void {
    this.#batch = undefined
    this.#history = history
    this.#rows = []
    this.#from = seq
    this.#last = seq
  }
}
