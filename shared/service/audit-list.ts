/** Answers the call `audit.list`, on primary and replica: the records of one slice of the audit that the caller asked for. */
import { sqliteError } from '../files/storage-errors.ts'
import { LIST_CHARS_MAX, WALK_ROWS_A_TURN } from '../limits.ts'
import { auditListParams, type AuditListParams, type AuditListResult, type AuditRecord } from '../protocol/audit.ts'
import { params } from '../protocol/params.ts'
import type { Database } from '../sqlite/open-database.ts'

const SELECT = `SELECT seq, at_ms AS atMs, actor, action AS kind, org, target, detail FROM audit
  WHERE seq > ? ORDER BY seq LIMIT ?`

/** `db` is undefined while a replica has no database. Throws request_invalid, database_corrupt. */
export function answerAuditList(db: Database | undefined, value: unknown): AuditListResult {
  const asked = params(auditListParams, value)
  if (db === undefined) return { records: [], through: asked.after, done: true }
  try {
    return pageOf(db.prepare<[number, number], AuditRecord>(SELECT).all(asked.after, WALK_ROWS_A_TURN), asked)
  } catch (error) {
    throw sqliteError(error, 'reading the audit')
  }
}

/** The answer ends early once it holds `LIST_CHARS_MAX` characters. */
function pageOf(slice: readonly AuditRecord[], asked: AuditListParams): AuditListResult {
  const records: AuditRecord[] = []
  let through = asked.after
  let chars = 0
  for (const record of slice) {
    if (chars > LIST_CHARS_MAX) return { records, through, done: false }
    through = record.seq
    if (!isWanted(record, asked)) continue
    records.push(record)
    chars += JSON.stringify(record).length
  }
  return { records, through, done: slice.length < WALK_ROWS_A_TURN }
}

/** All records are read for `sinceMs`, because the times of an audit do not rise if a clock was set back. */
function isWanted(record: AuditRecord, { sinceMs = 0, actor, org, kind }: AuditListParams): boolean {
  if (record.atMs < sinceMs) return false
  if (org !== undefined && record.org !== org) return false
  if (kind !== undefined && record.kind !== kind) return false
  return actor === undefined || isActor(record.actor, actor)
}

/** An actor in the audit is a configured name and a PeerId with a space between; the node itself has a name only. */
function isActor(recorded: string, actor: string): boolean {
  return recorded === actor || recorded.startsWith(`${actor} `) || recorded.endsWith(` ${actor}`)
}
