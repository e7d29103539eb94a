/**
 * The table `unsigned_revocations`: what a restore found beyond the signed head of an archive, where whoever can write there
 * could have put it. Nobody refuses by these rows; the primary shows them with what else waits for `revocations adopt|forget`.
 */
import { epoch as asEpoch, timeline as asTimeline, type Epoch, type Timeline } from '../ids.ts'
import type { Database } from '../sqlite/open-database.ts'
import type { RevocationColumns } from './revocation-columns.ts'

const SCHEMA_MIN = 5

/** Under its number in the history that it is of. */
export interface Unsigned {
  readonly timeline: Timeline
  readonly epoch: Epoch
  readonly seq: number
  readonly columns: RevocationColumns
}

interface UnsignedRow {
  readonly timeline: string
  readonly epoch: number
  readonly seq: number
  readonly columns: string
}

export interface UnsignedPart {
  readonly denials: readonly Unsigned[]
  /** Those behind this part. */
  readonly untold: number
}

/** Reads them in the order in which they were found, at most `limit` at a time, because whoever planted them chose how many. */
export class UnsignedReader {
  readonly #db: Database
  readonly #limit: number
  #first = 0
  #part: UnsignedPart = { denials: [], untold: 0 }

  constructor(db: Database, schema: number, limit: number) {
    this.#db = db
    this.#limit = limit
    if (schema >= SCHEMA_MIN) this.#part = this.#read()
  }

  get part(): UnsignedPart {
    return this.#part
  }

  /** Nobody needs to decide on the part any more. False at the end. */
  next(): boolean {
    if (this.#part.untold === 0) return false
    this.#first += this.#part.denials.length
    this.#part = this.#read()
    return true
  }

  #read(): UnsignedPart {
    const statement = this.#db.prepare<[number, number], UnsignedRow>(
      'SELECT timeline, epoch, seq, columns FROM unsigned_revocations ORDER BY id LIMIT ? OFFSET ?',
    )
    const denials = statement.all(this.#limit, this.#first).map(({ timeline, epoch, seq, columns }) => ({
      timeline: asTimeline(timeline),
      epoch: asEpoch(epoch),
      seq,
      columns: JSON.parse(columns) as RevocationColumns,
    }))
    const all = this.#db.prepare<[], number>('SELECT count(*) FROM unsigned_revocations').pluck().get() ?? 0
    return { denials, untold: all - this.#first - denials.length }
  }
}

export function insertUnsigned(db: Database, { timeline, epoch, seq, columns }: Unsigned): void {
  db.prepare('INSERT INTO unsigned_revocations (timeline, epoch, seq, columns) VALUES (?, ?, ?, ?)').run(
    timeline,
    epoch,
    seq,
    JSON.stringify(columns),
  )
}
