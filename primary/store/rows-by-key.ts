/**
 * Knows in memory which rows of a table of tokens belong to each root key: 4 bytes a row, read once and then continued. So a
 * page of one org's tokens is read, and ends, as if no other org had any: its place tells nothing of theirs. A table on disk
 * for this would add a page to each mint.
 */
import type { Statement } from 'better-sqlite3'
import { turn, type Timers } from '../../shared/clock.ts'
import type { Kid } from '../../shared/ids.ts'
import { WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'

interface Named {
  readonly seq: number
  readonly kid: string
}

export class RowsByKey {
  readonly #after: Statement<[number, number], Named>
  readonly #timers: Pick<Timers, 'soon'>
  readonly #numbers = new Map<string, RowNumbers>()
  /** Number of the last row that is known here. */
  #last = 0

  constructor(db: Database, table: 'issued' | 'service_tokens', timers: Pick<Timers, 'soon'>) {
    this.#timers = timers
    this.#after = db.prepare<[number, number], Named>(
      `SELECT seq, lower(hex(kid)) AS kid FROM ${table} WHERE seq > ? ORDER BY seq LIMIT ?`,
    )
  }

  /** Reads the rows that were added since, in slices. An abort ends it early; the next call continues from there. */
  async update(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const rows = this.#after.all(this.#last, WALK_ROWS_A_TURN)
      for (const { seq, kid } of rows) this.#add(kid, seq)
      if (rows.length < WALK_ROWS_A_TURN) return
      await turn(this.#timers)
    }
  }

  /** The next numbers after this one of rows under any of the keys, ascending, at most `limit`. */
  after(keys: Iterable<Kid>, after: number, limit: number): readonly number[] {
    const parts = [...keys]
      .flatMap((kid) => this.#numbers.get(kid)?.after(after, limit) ?? [])
      .filter((part) => part.length > 0)
      .toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0))
    let taken: number[] = []
    for (const part of parts) {
      // Keys of an org follow one another, so one or two of them have all the numbers.
      if ((taken[limit - 1] ?? Infinity) < (part[0] ?? 0)) break
      taken = taken.length === 0 ? [...part] : [...taken, ...part].toSorted((a, b) => a - b).slice(0, limit)
    }
    return taken
  }

  #add(kid: string, seq: number): void {
    const numbers = this.#numbers.get(kid) ?? new RowNumbers()
    this.#numbers.set(kid, numbers)
    numbers.push(seq)
    this.#last = seq
  }
}

const CAPACITY_MIN = 16

/** Numbers in ascending order. */
class RowNumbers {
  #numbers = new Uint32Array(CAPACITY_MIN)
  #length = 0

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const longer = new Uint32Array(2 * this.#length)
      longer.set(this.#numbers)
      this.#numbers = longer
    }
    this.#numbers[this.#length] = number
    this.#length += 1
  }

  /** A view of the next numbers after this one. */
  after(number: number, limit: number): Uint32Array {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#numbers[middle] ?? 0) > number) high = middle
      else low = middle + 1
    }
    return this.#numbers.subarray(low, Math.min(this.#length, low + limit))
  }
}
