/**
 * Reads one page of a table of tokens, which is sorted by nonce because nonces rise strictly. A page names the place to
 * continue by a nonce: that of its last entry, or the end of a millisecond. The rows are those of one org only, because a page
 * that ends by the number of all rows would tell its caller how many tokens other orgs have, and when they were issued.
 */
import { turn, type Timers } from '../../shared/clock.ts'
import { type Nonce, parseTokenId } from '../../shared/ids.ts'
import { LIST_CHARS_MAX, LIST_RECORDS_READ_MAX, WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import { endOfMs, nonceTimeMs } from '../../shared/macaroon/nonce.ts'

interface Numbered {
  readonly seq: number
  /** Hex. */
  readonly nonce: string
}

interface Named {
  readonly id: string
}

export interface PageOptions<Row, Entry> {
  /** Number of the first row to read. */
  readonly from: number
  /** At most WALK_ROWS_A_TURN rows after this number. */
  readonly read: (after: number) => readonly Row[]
  /** Prepares a slice of rows. The returned function makes the entry of a row; undefined for a row that is left out. */
  readonly entriesOf: (rows: readonly Row[]) => (row: Row) => Entry | undefined
  readonly limit: number
  readonly signal: AbortSignal
  readonly timers: Pick<Timers, 'soon'>
}

export interface TokenPage<Entry> {
  readonly tokens: readonly Entry[]
  /** Absent if there are no further rows. */
  readonly next?: string
}

/** Reads in slices, so that writes continue meanwhile. Ends early once `signal` aborts: its caller is gone. */
export async function readPage<Row extends Numbered, Entry extends Named>(
  options: PageOptions<Row, Entry>,
): Promise<TokenPage<Entry>> {
  const { from, read, entriesOf, limit, signal, timers } = options
  const tokens: Entry[] = []
  let [last, count, chars, ms] = [from - 1, 0, 0, 0]
  while (!signal.aborted) {
    const rows = read(last)
    const entryOf = entriesOf(rows)
    for (const row of rows) {
      const newest = tokens.at(-1)
      const isFull = tokens.length === limit || chars > LIST_CHARS_MAX
      if (newest !== undefined && isFull) return { tokens, next: parseTokenId(newest.id).nonce }
      const rowMs = nonceTimeMs(row.nonce as Nonce)
      // The row before may be one that the caller did not ask for, so the page ends with its millisecond.
      if (count >= LIST_RECORDS_READ_MAX && rowMs > ms) return { tokens, next: endOfMs(ms) }
      ;[last, count, ms] = [row.seq, count + 1, rowMs]
      const entry = entryOf(row)
      if (entry === undefined) continue
      tokens.push(entry)
      chars += JSON.stringify(entry).length
    }
    if (rows.length < WALK_ROWS_A_TURN) break
    await turn(timers)
  }
  return { tokens }
}
