/** Writes the cut-offs that a restored database still owes, from all databases that were read. */
import type { DueCutOff, DueCutOffRow } from '../../primary/authority/rows.ts'
import { readDueCutOffs } from '../../primary/store/due-cut-offs.ts'
import { RowWriter } from '../../primary/store/row-writer.ts'
import type { Meta } from '../../shared/database/meta.ts'
import { rowOfColumns, type StoredRevocation } from '../../shared/database/revocation-log.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { raiseSchema } from './carry-rows.ts'
import type { Evidence } from './evidence.ts'
import { owedCutOffs } from './owed-cut-offs.ts'

/** Writes the cut-offs that the restored database owes as due. Returns their number. */
export function keepOwed(db: Database, { timeline, txid, schema }: Meta, evidence: readonly Evidence[]): number {
  const own = { timeline, txid, due: readDueCutOffs(db, schema) }
  const others = evidence.flatMap(({ position, database }) =>
    position === undefined || database === undefined ? [] : { ...database, txid: position.txid },
  )
  const states = [own, ...others]
  if (states.every(({ due }) => due.length === 0)) return 0
  const reaches = reachesByRequest(db)
  const owed = owedCutOffs(states, (due, reachMs) => (reaches.get(requestOf(due.cutOff, due)) ?? -1) >= reachMs)
  raiseSchema(db)
  db.exec('DELETE FROM due_cut_offs')
  const rows = new RowWriter(db)
  for (const [index, due] of owed.entries()) rows.write({ table: 'due_cut_offs', row: { ...due, seq: index + 1 } })
  return owed.length
}

/** How far the cut-offs on record reach, by what they name, who requested them, and why. */
function reachesByRequest(db: Database): ReadonlyMap<string, number> {
  const query = "SELECT * FROM revocations WHERE kind IN ('org', 'subject')"
  const reaches = new Map<string, number>()
  for (const columns of db.prepare<[], StoredRevocation & Pick<DueCutOffRow, 'actor' | 'reason'>>(query).iterate()) {
    const row = rowOfColumns(columns)
    if (row.kind !== 'org' && row.kind !== 'subject') continue
    const name = requestOf(row, columns)
    reaches.set(name, Math.max(reaches.get(name) ?? 0, row.untilMs))
  }
  return reaches
}

function requestOf(cutOff: DueCutOff, { actor, reason }: Pick<DueCutOffRow, 'actor' | 'reason'>): string {
  return JSON.stringify([cutOff.kind, cutOff.org, cutOff.kind === 'subject' ? cutOff.subject : null, actor, reason])
}
