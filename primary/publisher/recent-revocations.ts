/**
 * The last committed revocations in memory, so that sending one to replicas that are up to date reads nothing back from
 * the database. Older ones, and whatever is not here, come from the log.
 */
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import type { TransactionPort } from '../commit-log/group-writer.ts'
import type { RevocationSource } from './revocation-session.ts'

/** Enough for some groups; a replica that is further behind is not waiting for the newest. */
const KEPT_ROWS = 2_048

export class RecentRevocations {
  readonly #log: Pick<RevocationSource, 'after'>
  /** Without a gap, oldest first. */
  #rows: RevocationRow[] = []
  /** Of the transaction that is being written: they count when it is committed. */
  #written: RevocationRow[] = []

  constructor(log: Pick<RevocationSource, 'after'>) {
    this.#log = log
  }

  /** At most `limit` rows with a higher number than `seq`, in order. */
  after(seq: number, limit: number): readonly RevocationRow[] {
    const first = this.#rows[0]?.seq ?? Infinity
    const start = seq + 1 - first
    // What is newer than all of these may be in the database all the same: only the log may say that there is nothing.
    if (start < 0 || start >= this.#rows.length) return this.#log.after(seq, limit)
    return this.#rows.slice(start, start + limit)
  }

  /** The same transactions, with their revocations kept here once they are committed. */
  following(port: TransactionPort): TransactionPort {
    return {
      ...port,
      write: (row) => {
        port.write(row)
        if (row.table === 'revocations') this.#written.push(row.row.revocation)
      },
      commit: (state, stampMs) => {
        const position = port.commit(state, stampMs)
        this.#keep()
        return position
      },
      rollback: () => {
        this.#written = []
        port.rollback()
      },
    }
  }

  #keep(): void {
    const next = this.#written[0]
    // A transaction that was committed and not kept (its segment could not be logged) leaves a gap: start anew behind it.
    if (next !== undefined && this.#rows.at(-1)?.seq !== next.seq - 1) this.#rows = []
    this.#rows.push(...this.#written)
    this.#written = []
    if (this.#rows.length > 2 * KEPT_ROWS) this.#rows = this.#rows.slice(-KEPT_ROWS)
  }
}
