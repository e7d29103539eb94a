/**
 * The last revocations in memory, as they came from the stream or the pages, whichever had them first: what workers are
 * sent. A worker that is further behind than these reach begins with an empty cache instead.
 */
import { FEED_ROWS_KEPT } from '../../shared/limits.ts'
import type { RevocationRow } from '../../shared/protocol/revocations.ts'
import type { Place } from '../revocations/journal.ts'

export class RecentRows {
  #history: Place | undefined
  /** Without a gap, oldest first. */
  #rows: RevocationRow[] = []
  #last = 0
  readonly #rowsKept: number

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
    for (const row of rows) {
      const same = history.timeline === this.#history?.timeline
      if (same && row.seq <= this.#last) continue
      if (!same || row.seq !== this.#last + 1) this.#begin(history, row.seq - 1)
      this.#rows.push(row)
      this.#last = row.seq
    }
    if (this.#rows.length > 2 * this.#rowsKept) this.#rows = this.#rows.slice(-this.#rowsKept)
  }

  /** At most `limit` rows after `seq`, in order; undefined where some of them are not here. */
  after(seq: number, limit: number): readonly RevocationRow[] | undefined {
    const first = this.#last - this.#rows.length + 1
    if (seq < first - 1 || seq > this.#last) return undefined
    return this.#rows.slice(seq - first + 1, seq - first + 1 + limit)
  }

  /** Pages of the epoch before may still come while the stream is in the next one. */
  #isPast({ epoch }: Place): boolean {
    return epoch < (this.#history?.epoch ?? 0)
  }

  #begin(history: Place, seq: number): void {
    this.#history = history
    this.#rows = []
    this.#last = seq
  }
}
