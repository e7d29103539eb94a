/**
 * The last revocations in memory, as they came from the stream or the pages, whichever had them first: what workers are
 * sent. A worker that is further behind than these reach begins with an empty cache instead.
 */
import { assert } from '../../shared/errors.ts'
import { FEED_ROWS_KEPT } from '../../shared/limits.ts'
import { encodeMessage } from '../../shared/protocol/message.ts'
import { recordOf, type RevocationRow } from '../../shared/protocol/revocation-row.ts'
import { REVOCATIONS_A_MESSAGE } from '../../shared/protocol/revocations.ts'
import type { Place } from '../revocations/journal.ts'

/** What comes after one revocation, as it is written to every worker that stands there. */
export interface Batch {
  /** Number of its last row. */
  readonly last: number
  readonly message: Uint8Array
}

export class RecentRows {
  #history: Place | undefined
  /** Without a gap, oldest first. */
  #rows: RevocationRow[] = []
  #last = 0
  readonly #rowsKept: number
  /** The last one made. */
  #batch: (Batch & { readonly seq: number }) | undefined

  constructor(rowsKept: number = FEED_ROWS_KEPT) {
    this.#rowsKept = rowsKept
  }

  /** Undefined before the first revocation of any history is known of. */
  get history(): Place | undefined {
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
  reached(history: Place, seq: number): void {
    if (this.#isPast(history)) return
    if (history.timeline !== this.#history?.timeline || seq > this.#last) this.#begin(history, seq)
  }

  /** Rows of one history in order; those that are known already are passed over. */
  take(history: Place, rows: readonly RevocationRow[]): void {
    if (this.#isPast(history)) return
    this.#batch = undefined
    for (const row of rows) {
      const same = history.timeline === this.#history?.timeline
      if (same && row.seq <= this.#last) continue
      if (!same || row.seq !== this.#last + 1) this.#begin(history, row.seq - 1)
      this.#rows.push(row)
      this.#last = row.seq
    }
    if (this.#rows.length > 2 * this.#rowsKept) this.#rows = this.#rows.slice(-this.#rowsKept)
  }

  /** Whether all rows after `seq` are here. */
  has(seq: number): boolean {
    return seq >= this.#last - this.#rows.length && seq <= this.#last
  }

  /** The next rows after `seq`, of which there are some; made once for all workers that are equally far. */
  after(seq: number): Batch {
    assert(this.has(seq) && seq < this.#last, 'there are rows after it')
    if (this.#batch?.seq === seq) return this.#batch
    const from = this.#rows.length - (this.#last - seq)
    const rows = this.#rows.slice(from, from + REVOCATIONS_A_MESSAGE)
    const message = encodeMessage({ t: 'revoked', rows: rows.map(recordOf) })
    this.#batch = { seq, last: seq + rows.length, message }
    return this.#batch
  }

  /** Pages of the epoch before may still come while the stream is in the next one. */
  #isPast({ epoch }: Place): boolean {
    return epoch < (this.#history?.epoch ?? 0)
  }

  #begin(history: Place, seq: number): void {
    this.#batch = undefined
    this.#history = history
    this.#rows = []
    this.#last = seq
  }
}
