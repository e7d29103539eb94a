/**
 * The table `unsigned_revocations`: what a restore found beyond the signed head of an archive, where whoever can write there
 * could have put it. Nobody refuses by these rows; the primary shows them with what else waits for `revocations adopt|forget`.
 */
import { epoch as asEpoch, timeline as asTimeline, type Epoch, type Timeline } from '../ids.ts'
import type { Connection } from '../sqlite/connection.ts'
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

/** In the order in which they were found, at most `limit`. */
export function readUnsigned(db: Connection, schema: number, limit: number): readonly Unsigned[] {
  if (schema < SCHEMA_MIN) return []
  const statement = db.prepare<[number], UnsignedRow>(
    'SELECT timeline, epoch, seq, columns FROM unsigned_revocations ORDER BY id LIMIT ?',
  )
  return statement.all(limit).map(({ timeline, epoch, seq, columns }) => ({
    timeline: asTimeline(timeline),
    epoch: asEpoch(epoch),
    seq,
    columns: JSON.parse(columns) as RevocationColumns,
  }))
}

export function insertUnsigned(db: Connection, { timeline, epoch, seq, columns }: Unsigned): void {
  db.prepare('INSERT INTO unsigned_revocations (timeline, epoch, seq, columns) VALUES (?, ?, ?, ?)').run(
    timeline,
    epoch,
    seq,
    JSON.stringify(columns),
  )
}
