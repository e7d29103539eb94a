import { type RevocationColumns, rowOfColumns } from '../../shared/database/revocation-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Connection } from '../../shared/sqlite/connection.ts'
import type { DueCutOffRow } from '../authority/rows.ts'

/** The schema that has the table. */
const SINCE_SCHEMA = 5

interface Columns extends Omit<RevocationColumns, 'expires_at'> {
  readonly at_ms: number
  readonly actor: string
  readonly reason: string
}

/** Oldest first. Throws database_corrupt. */
export function readDueCutOffs(db: Connection, schema: number): readonly DueCutOffRow[] {
  if (schema < SINCE_SCHEMA) return []
  return db.prepare<[], Columns>('SELECT * FROM due_cut_offs ORDER BY seq').all().map(rowOf)
}

function rowOf({ seq, kind, org, key, at_ms: atMs, actor, reason }: Columns): DueCutOffRow {
  const row = rowOfColumns({ seq, kind, org, key, expires_at: 0 })
  if (row.kind === 'org') return { seq, atMs, actor, reason, cutOff: { kind: 'org', org, untilMs: row.untilMs } }
  if (row.kind === 'subject') {
    const { subject, untilMs } = row
    return { seq, atMs, actor, reason, cutOff: { kind: 'subject', org, subject, untilMs } }
  }
  throw new MacaroondError('database_corrupt', `due cut-off ${seq} of kind ${kind} names nothing`)
}
