/**
 * The table `unsigned_revocations`: revocations that a restore found after the signed head of an archive. Anybody who can write
 * to the archive may have added them, so no node enforces them. The primary shows them to the operator among the denials that
 * wait for `revocations adopt|forget`.
 */
import { epoch as asEpoch, timeline as asTimeline, type Epoch, type Timeline } from '../ids.ts'
import type { Database } from '../sqlite/open-database.ts'
import type { RevocationColumns } from './revocation-columns.ts'

const SCHEMA_MIN = 5

/** `seq` is its number in its own history. */
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
  /** Number of rows after this part. */
  readonly remaining: number
}

/** Reads them in the order found, at most `limit` at a time, because an attacker may have planted any number. */
export class UnsignedReader {
  readonly #db: Database
  readonly #limit: number
  #first = 0
  #part: UnsignedPart = { denials: [], remaining: 0 }

  constructor(db: Database, schema: number, limit: number) {
    this.#db = db
    this.#limit = limit
    if (schema >= SCHEMA_MIN) this.#part = this.#read()
  }

  get part(): UnsignedPart {
    return this.#part
  }

  /** Moves to the next part, once every row of this one is decided. False at the end. */
  next(): boolean {
    if (this.#part.remaining === 0) return false
    this.#first += this.#part.denials.length
    this.#part = this.#read()
    return true
  }

  #read(): UnsignedPart {
    const denials = rowsOf(this.#db, this.#limit, this.#first)
    const all = this.#db.prepare<[], number>('SELECT count(*) FROM unsigned_revocations').pluck().get() ?? 0
    return { denials, remaining: all - this.#first - denials.length }
  }
}

/** All of them, in the order found. */
export function readUnsigned(db: Database, schema: number): readonly Unsigned[] {
  return schema < SCHEMA_MIN ? [] : rowsOf(db, -1, 0)
}

function rowsOf(db: Database, limit: number, offset: number): readonly Unsigned[] {
  const statement = db.prepare<[number, number], UnsignedRow>(
    'SELECT timeline, epoch, seq, columns FROM unsigned_revocations ORDER BY id LIMIT ? OFFSET ?',
  )
  return statement.all(limit, offset).map(({ timeline, epoch, seq, columns }) => ({
    timeline: asTimeline(timeline),
    epoch: asEpoch(epoch),
    seq,
    columns: JSON.parse(columns) as RevocationColumns,
  }))
}

/** A row that is there is not inserted again. */
export function insertUnsigned(db: Database, { timeline, epoch, seq, columns }: Unsigned): void {
  const row = [timeline, epoch, seq, JSON.stringify(columns)]
  const where = 'timeline = ? AND epoch = ? AND seq = ? AND columns = ?'
  db.prepare(
    `INSERT INTO unsigned_revocations (timeline, epoch, seq, columns)
      SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM unsigned_revocations WHERE ${where})`,
  ).run(...row, ...row)
}
