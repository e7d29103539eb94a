/**
 * The last revocations in memory, as they came from the stream or the pages, whichever had them first: what workers are
 * sent. A worker that is further behind than these reach begins with an empty cache instead.
 */
import { assert } from '../../shared/errors.ts'
import { FEED_ROWS_KEPT } from '../../shared/limits.ts'
import { encodeMessage } from '../../shared/protocol/message.ts'
import { recordOf, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { REVOCATIONS_A_MESSAGE, type Stretch } from '../../shared/protocol/stretch.ts'
import type { History } from '../revocations/history.ts'

/** What comes after one revocation, as it is written to every worker that stands there. */
export interface Batch {
  /** What it reaches through. */
  readonly last: number
  readonly message: Uint8Array
}

export class RecentRows {
  #history: History | undefined
  /** All that were not purged, oldest first, of those after `#from` up to `#last`. */
  #rows: RevocationRow[] = []
  #from = 0
  #last = 0
  readonly #rowsKept: number
  /** The last one made. */
  #batch: (Batch & { readonly seq: number }) | undefined

  constructor(rowsKept: number = FEED_ROWS_KEPT) {
    this.#rowsKept = rowsKept
  }

  /** Undefined before the first revocation of any history is known of. */
  get history(): History | undefined {
    return this.#history
  }

  /** The last revocation of this history, all before it known. */
  get last(): number {
    return this.#last
  }

  /**
   * All revocations of this history up to `seq` are known, wherever they came from. Those that are not here are missing
   * for good: who was behind them is told to begin anew.
   */
  reached(history: History, seq: number): void {
    if (this.#isPast(history)) return
    if (history.timeline !== this.#history?.timeline || seq > this.#last) this.#begin(history, seq)
  }

  /** A part of one history; what of it is known already is passed over. */
  take(history: History, { after, rows, through }: Stretch): void {
    if (this.#isPast(history)) return
    if (history.timeline !== this.#history?.timeline || after > this.#last) this.#begin(history, after)
    this.#batch = undefined
    this.#rows.push(...rows.filter(({ seq }) => seq > this.#last))
    this.#last = Math.max(this.#last, through)
    if (this.#rows.length > 2 * this.#rowsKept) this.#forget(this.#rows.length - this.#rowsKept)
  }

  /** Whether all rows after `seq` are here. */
  has(seq: number): boolean {
    return seq >= this.#from && seq <= this.#last
  }

  /** What comes next after `seq`, which is not the last; made once for all workers that are equally far. */
  after(seq: number): Batch {
    assert(this.has(seq) && seq < this.#last, 'something comes after it')
    if (this.#batch?.seq === seq) return this.#batch
    const from = this.#indexAfter(seq)
    const rows = this.#rows.slice(from, from + REVOCATIONS_A_MESSAGE)
    const last = from + rows.length === this.#rows.length ? this.#last : (rows.at(-1)?.seq ?? seq)
    const message = encodeMessage({ t: 'revoked', after: seq, rows: rows.map(recordOf), through: last })
    this.#batch = { seq, last, message }
    return this.#batch
  }

  /** Of the first row behind it, by bisection: where rows were purged, numbers are no places. */
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

  /** Pages of the epoch before may still come while the stream is in the next one. */
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
