/**
 * Finds a row by its nonce without an index. Nonces begin with the issue clock and rise strictly, so a table that grows with
 * each mint is sorted by them, and bisection takes about 20 reads at a million rows. An index would add a page to each mint.
 */
import type { Statement } from 'better-sqlite3'
import type { Kid, Nonce } from '../../shared/ids.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'

interface Named {
  readonly kid: Buffer
  readonly nonce: Buffer
}

export class ByNonce<Columns extends Named> {
  readonly #range: Statement<[], { readonly low: number | null; readonly high: number | null }>
  readonly #at: Statement<[number], Columns>

  constructor(db: Database, table: 'issued' | 'service_tokens') {
    // Two subqueries: SQLite finds a single MIN or MAX at the end of the table, but reads the whole table for both at once.
    this.#range = db.prepare(`SELECT (SELECT MIN(seq) FROM ${table}) AS low, (SELECT MAX(seq) FROM ${table}) AS high`)
    this.#at = db.prepare(`SELECT * FROM ${table} WHERE seq = ?`)
  }

  find(kid: Kid, nonce: Nonce): Columns | undefined {
    const bytes = Buffer.from(nonce, 'hex')
    const row = this.#at.get(this.firstFrom(bytes))
    return row !== undefined && bytes.equals(row.nonce) && row.kid.toString('hex') === kid ? row : undefined
  }

  /** Number of the first row after this place, 32 hex digits; of the first row of all if it is empty. */
  firstAfter(place: string): number {
    // One byte more is more than the same bytes, and less than any greater nonce.
    return this.firstFrom(Buffer.from(place === '' ? '' : `${place}00`, 'hex'))
  }

  /**
   * Number of the first row whose nonce is not below these bytes, which may be only the beginning of a nonce. One more than
   * the last number if there is none.
   */
  firstFrom(nonce: Buffer): number {
    const range = this.#range.get()
    let low = range?.low ?? 1
    let high = range?.high ?? 0
    while (low <= high) {
      const middle = Math.floor((low + high) / 2)
      const row = this.#at.get(middle)
      // A gap in the numbers. Neither table is ever deleted from, so this cannot happen in a sound database.
      if (row !== undefined && Buffer.compare(row.nonce, nonce) >= 0) high = middle - 1
      else low = middle + 1
    }
    return low
  }
}
