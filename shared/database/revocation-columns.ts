/**
 * Reads and inserts revocations with all their columns, whatever version wrote them. A restore uses it to carry rows from one
 * database to another without interpreting them.
 */
import type { Database } from '../sqlite/open-database.ts'

/** Bytes are {"hex": …}, so that a row can be written as JSON. */
export type ColumnValue = string | number | null | { readonly hex: string }

/** Values by column name, without `seq`, because a number is valid in one timeline only. */
export type RevocationColumns = Readonly<Record<string, ColumnValue>>

export interface NumberedColumns {
  readonly seq: number
  readonly columns: RevocationColumns
}

/** At most `limit` rows with a number above `after`, ascending. */
export function readRevocationColumns(db: Database, after: number, limit: number): readonly NumberedColumns[] {
  const statement = db.prepare<[number, number], Record<string, string | number | Buffer | null>>(
    'SELECT * FROM revocations WHERE seq > ? ORDER BY seq LIMIT ?',
  )
  return statement.all(after, limit).map(({ seq, ...rest }) => {
    const columns = Object.entries(rest).map(([name, value]): [string, ColumnValue] => [name, toJson(value)])
    return { seq: Number(seq), columns: Object.fromEntries(columns) }
  })
}

export function insertRevocationColumns(db: Database, seq: number, columns: RevocationColumns): void {
  const names = Object.keys(columns)
  const quoted = ['seq', ...names].map((name) => `"${name.replaceAll('"', '""')}"`).join(', ')
  const values = names.map((name) => fromJson(columns[name] ?? null))
  const places = Array.from({ length: names.length + 1 }, () => '?').join(', ')
  db.prepare(`INSERT INTO revocations (${quoted}) VALUES (${places})`).run(seq, ...values)
}

function toJson(value: string | number | Buffer | null): ColumnValue {
  return Buffer.isBuffer(value) ? { hex: value.toString('hex') } : value
}

function fromJson(value: ColumnValue): string | number | Buffer | null {
  return value !== null && typeof value === 'object' ? Buffer.from(value.hex, 'hex') : value
}
