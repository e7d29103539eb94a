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
    if (schema >= SCHEMA_MIN) this.#part = this.#read(0)
  }

  get part(): UnsignedPart {
    return this.#part
  }

  /** Moves to the next part, once every row of this one is decided. False at the end. After an error it is where it was. */
  next(): boolean {
    if (this.#part.remaining === 0) return false
    const first = this.#first + this.#part.denials.length
    this.#part = this.#read(first)
    this.#first = first
    return true
  }

  #read(first: number): UnsignedPart {
    const denials = rowsOf(this.#db, this.#limit, first)
    const all = this.#db.prepare<[], number>('SELECT count(*) FROM unsigned_revocations').pluck().get() ?? 0
    return { denials, remaining: all - first - denials.length }
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

/** Inserts rows in their order. A row that is there is not inserted again. */
export function insertUnsigned(db: Database, rows: readonly Unsigned[]): void {
  const insert = db.prepare('INSERT INTO unsigned_revocations (timeline, epoch, seq, columns) VALUES (?, ?, ?, ?)')
  const known = new Set(rowsOf(db, -1, 0).map(nameOf))
  for (const row of rows) {
    const name = nameOf(row)
    if (known.has(name)) continue
    known.add(name)
    insert.run(row.timeline, row.epoch, row.seq, JSON.stringify(row.columns))
  }
}

function nameOf({ timeline, epoch, seq, columns }: Unsigned): string {
  return JSON.stringify([timeline, epoch, seq, columns])
}
