/**
 * Reads the revocations of a history that this replica is about to leave, as denials. The table in memory decides what was
 * enforced; pages and journal add the columns that it lacks. A process that started with damaged pages has no such table, and
 * first reads the moved copy (moved-copy.ts).
 */
import type { Meta } from '../../shared/database/meta.ts'
import { readRevocationColumns } from '../../shared/database/revocation-columns.ts'
import { epoch as asEpoch, timeline as asTimeline, type Timeline } from '../../shared/ids.ts'
import { columnsOfRow, type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { isOutlived } from '../../shared/verifier/outlived.ts'
import type { JournalPart } from '../revocations/journal-records.ts'

/** Few enough for one turn of the event loop. */
export const ROWS_A_BATCH = 250

export type Batches = Generator<readonly Denial[]>

export type UndoneHistory = Pick<Meta, 'timeline' | 'epoch' | 'issueClockMs'>

/** Every row of the pages that is not outlived. */
export function* denialsInPages(reader: Database, { timeline, epoch, issueClockMs }: UndoneHistory): Batches {
  for (let after = 0; ;) {
    const rows = readRevocationColumns(reader, after, ROWS_A_BATCH)
    const last = rows.at(-1)
    if (last === undefined) return
    const denials = rows.map(({ seq, columns }) => ({ timeline, epoch, seq, columns }))
    yield denials.filter((one) => !isOutlived(rowOfDenial(one), issueClockMs))
    after = last.seq
  }
}

/** Rows of the journal, except those that this version does not understand. */
export function* denialsInJournal(parts: readonly JournalPart[], orgOf: (kid: string) => string | undefined): Batches {
  for (const { timeline, epoch, rows } of parts) {
    const known = rows.filter((row) => row.kind !== 'unknown')
    for (let start = 0; start < known.length; start += ROWS_A_BATCH) {
      const batch = known.slice(start, start + ROWS_A_BATCH)
      yield batch.map((row) => ({ timeline, epoch, seq: row.seq, columns: columnsOfRow(row, orgIn(row, orgOf)) }))
    }
  }
}

/** Rows of a table in parts, except those that are kept already. A table has no numbers, so they are numbered in `timeline`. */
export function* denialsInTable(
  parts: Iterable<readonly KnownRevocation[]>,
  timeline: Timeline,
  isKept: (row: KnownRevocation) => boolean,
): Batches {
  let seq = 0
  for (const rows of parts) {
    yield rows
      .filter((row) => !isKept(row))
      .map((row) => {
        seq += 1
        const columns = columnsOfRow(row, row.kind === 'token' ? '' : row.org)
        return { timeline, epoch: asEpoch(0), seq, columns }
      })
  }
}

export function randomTimeline(bytes: Buffer): Timeline {
  return asTimeline(bytes.toString('hex'))
}

function orgIn(row: KnownRevocation, orgOf: (kid: string) => string | undefined): string {
  return row.kind === 'token' ? (orgOf(row.kid) ?? '') : row.org
}
