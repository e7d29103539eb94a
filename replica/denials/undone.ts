/**
 * Reads the revocations of a history that this replica is about to leave, as denials. Sound pages and the journal are enough.
 * If the pages are damaged, it reads the database that was moved aside, the saved table, and the table in memory.
 */
import { existsSync } from 'node:fs'
import { MetaReader, type Meta } from '../../shared/database/meta.ts'
import { readRevocationColumns } from '../../shared/database/revocation-columns.ts'
import { epoch as asEpoch, timeline as asTimeline, type Timeline } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { reportOf } from '../../shared/errors.ts'
import { columnsOfRow, type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import { openReader, type Database } from '../../shared/sqlite/open-database.ts'
import { isOutlived } from '../../shared/verifier/outlived.ts'
import { loadTable } from '../tables/table-file.ts'
import type { JournalPart } from '../revocations/journal-records.ts'

/** Few enough for one turn of the event loop. */
const ROWS_A_BATCH = 250

type Batches = Generator<readonly Denial[]>

/** Every row of the pages that is not outlived. */
export function* denialsInPages(reader: Database, { timeline, epoch, issueClockMs }: Meta): Batches {
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

/**
 * Rows of a damaged database up to the first error. This replica enforced each row in it, so it is safe to keep them. `bounded`
 * limits the issue clock, which decides which rows are outlived.
 */
export function* denialsInDamagedCopy(path: string | undefined, bounded: (meta: Meta) => Meta, log: Log): Batches {
  if (path === undefined) return
  let db: Database | undefined
  let rows = 0
  try {
    db = openReader(path)
    for (const batch of denialsInPages(db, bounded(new MetaReader(db).read()))) {
      rows += batch.length
      yield batch
    }
  } catch (error) {
    log.warn({ path, rows, error: reportOf(error) }, 'a damaged copy could be read in part only')
  } finally {
    db?.close()
  }
}

/** Rows of a table, except those that are kept already. A table has no numbers, so they are numbered in `timeline`. */
export function* denialsInTable(
  rows: Iterable<KnownRevocation>,
  timeline: Timeline,
  isKept: (row: KnownRevocation) => boolean,
): Batches {
  let seq = 0
  let batch: Denial[] = []
  for (const row of rows) {
    if (!isKept(row)) {
      seq += 1
      const columns = columnsOfRow(row, row.kind === 'token' ? '' : row.org)
      batch.push({ timeline, epoch: asEpoch(0), seq, columns })
    }
    if (batch.length < ROWS_A_BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}

/** Rows of the saved table; none if there is no such file or it is damaged. */
export function savedRows(path: string): Iterable<KnownRevocation> {
  return existsSync(path) ? (loadTable(path)?.revocations.rows() ?? []) : []
}

export function randomTimeline(bytes: Buffer): Timeline {
  return asTimeline(bytes.toString('hex'))
}

function orgIn(row: KnownRevocation, orgOf: (kid: string) => string | undefined): string {
  return row.kind === 'token' ? (orgOf(row.kid) ?? '') : row.org
}
