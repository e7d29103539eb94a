/** Reads the cut-offs that wait until time is believed (authority/due-cut-offs.ts). The table exists since schema 5. */
import { type StoredRevocation as LogColumns, rowOfColumns } from '../../shared/database/revocation-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { DueCutOffRow } from '../authority/rows.ts'

/** The first schema with this table. */
const SINCE_SCHEMA = 5

interface Columns extends Omit<LogColumns, 'expires_at'> {
  readonly at_ms: number
  readonly actor: string
  readonly reason: string
}

/** Oldest first. Throws database_corrupt. */
export function readDueCutOffs(db: Database, schema: number): readonly DueCutOffRow[] {
  if (schema < SINCE_SCHEMA) return []
  return db.prepare<[], Columns>('SELECT * FROM due_cut_offs ORDER BY seq').all().map(rowOf)
}

function rowOf({ seq, kind, org, key, at_ms: atMs, actor, reason }: Columns): DueCutOffRow {
  const row = rowOfColumns({ seq, kind, org, key, expires_at: 0 })
  const asked = { seq, atMs, steadyMs: undefined, actor, reason }
  if (row.kind === 'org') return { ...asked, cutOff: { kind: 'org', org, untilMs: row.untilMs } }
  if (row.kind === 'subject') {
    const { subject, untilMs } = row
    return { ...asked, cutOff: { kind: 'subject', org, subject, untilMs } }
  }
  throw new MacaroondError('database_corrupt', `due cut-off ${seq} has the kind ${kind}, which is not a cut-off`)
}
