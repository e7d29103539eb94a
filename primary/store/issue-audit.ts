/**
 * Finds the audit record of a mint or an exchange. Each such record names its token, and nonces rise strictly, so these
 * records are sorted by nonce among the others and bisection finds one without an index.
 */
import type { Statement } from 'better-sqlite3'
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import { parseTokenId, type TokenId } from '../../shared/ids.ts'
import { WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import type { IssueRecord } from '../../shared/protocol/tokens.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'

interface Columns extends IssueRecord {
  readonly seq: number
  readonly target: string
}

export class IssueAudit {
  readonly #last: Statement<[], { readonly seq: number | null }>
  readonly #first: Statement<[number, number], Columns>
  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Database, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#timers = timers
    this.#last = db.prepare('SELECT MAX(seq) AS seq FROM audit')
    this.#first = db.prepare(
      `SELECT seq, at_ms AS atMs, actor AS by, action AS kind, target FROM audit
       WHERE seq >= ? AND seq < ? AND action IN ('token.mint', 'token.exchange') ORDER BY seq LIMIT 1`,
    )
  }

  /** Undefined if there is none, or once `signal` aborts. Reads at most the audit once, in slices. */
  async find(id: TokenId, signal: AbortSignal): Promise<IssueRecord | undefined> {
    const { nonce } = parseTokenId(id)
    let low = 1
    let high = (this.#last.get()?.seq ?? 0) + 1
    while (low < high && !signal.aborted) {
      const middle = Math.floor((low + high) / 2)
      const row = await this.#firstIn(middle, high, signal)
      const found = row === undefined ? undefined : parseTokenId(row.target).nonce
      if (row === undefined || found === undefined || found > nonce) high = middle
      else if (found < nonce) low = row.seq + 1
      else return row.target === id ? recordOf(row) : undefined
    }
    return undefined
  }

  /** The first record of an issued token from `from` on and before `end`. */
  async #firstIn(from: number, end: number, signal: AbortSignal): Promise<Columns | undefined> {
    for (let at = from; at < end && !signal.aborted; at += WALK_ROWS_A_TURN) {
      const row = this.#first.get(at, Math.min(end, at + WALK_ROWS_A_TURN))
      if (row !== undefined) return row
      await turn(this.#timers)
    }
    return undefined
  }
}

/** Without its number, which tells how much other orgs do. */
function recordOf({ kind, by, atMs }: Columns): IssueRecord {
  return { kind, by, atMs }
}
