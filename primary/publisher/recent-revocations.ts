/**
 * Keeps the newest committed revocations in memory, so that sending one to an up-to-date replica does not read the database.
 * Other rows are read from the log of revocations in the database.
 */
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import type { TransactionPort } from '../commit-log/group-writer.ts'
import type { RevocationSource } from './revocation-session.ts'

/** Rows kept in memory. They are enough for several groups; for a replica that is further behind, the database is read. */
const KEPT_ROWS = 2_048

export class RecentRevocations {
  readonly #log: Pick<RevocationSource, 'after'>
  /** Consecutive rows, oldest first. */
  #rows: RevocationRow[] = []
  /** Rows of the open transaction. They become recent rows when it commits. */
  #written: RevocationRow[] = []

  constructor(log: Pick<RevocationSource, 'after'>) {
    this.#log = log
  }

  /** At most `limit` rows with a higher number than `seq`, in order. */
  after(seq: number, limit: number): readonly RevocationRow[] {
    const first = this.#rows[0]?.seq ?? Infinity
    const start = seq + 1 - first
    // The database may have rows that are newer than all of these, so read it.
    if (start < 0 || start >= this.#rows.length) return this.#log.after(seq, limit)
    return this.#rows.slice(start, start + limit)
  }

  /** A port that also keeps the revocations of each transaction that commits. */
  recordingPort(port: TransactionPort): TransactionPort {
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
    // A transaction that committed but could not be logged leaves a gap, so the rows before it are dropped.
    if (next !== undefined && this.#rows.at(-1)?.seq !== next.seq - 1) this.#rows = []
    this.#rows.push(...this.#written)
    this.#written = []
    if (this.#rows.length > 2 * KEPT_ROWS) this.#rows = this.#rows.slice(-KEPT_ROWS)
  }
}
