/**
 * Reads the revocations of a database that was moved aside as damaged. It is read by a process whose tables never read these
 * pages, when another history replaces them. The saved table, which has a checksum of its own, adds what damage hides.
 *
 * No checksum tells which page of a damaged database changed. So readable rows beyond the saved table are kept, with an alarm.
 * Rows that cannot be read, and that the saved table lacks, end the work: tokens that this replica refused would be accepted.
 */
import { existsSync } from 'node:fs'
import { MetaReader, type Meta } from '../../shared/database/meta.ts'
import { type NumberedColumns, readRevocationColumns } from '../../shared/database/revocation-columns.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { DENIAL_RECORD_BYTES_MAX } from '../../shared/limits.ts'
import type { Log } from '../../shared/log.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { AlarmBoard } from '../../shared/service/alarm-board.ts'
import { openReader, type Database } from '../../shared/sqlite/open-database.ts'
import { isOutlived } from '../../shared/verifier/outlived.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { lastMovedAside } from '../store/damaged.ts'
import { DATABASE_NAME } from '../store/open-copy.ts'
import { loadTable, type SavedTable } from '../tables/table-file.ts'
import { type Batches, ROWS_A_BATCH } from './undone.ts'

export interface MovedCopyOptions {
  readonly folder: string
  readonly savedTable: string
  /** Limits the issue clock, which decides which rows are outlived. */
  readonly bounded: (meta: Meta) => Meta
  /** Refuses what the rows name from now on. */
  readonly deny: (rows: readonly RevocationRow[]) => void
  readonly alarms: Pick<AlarmBoard, 'set'>
  readonly log: Log
}

/** Ranges of numbers in one message. */
const RANGES_SHOWN = 5

/**
 * The rows of the copy, which are refused at once. Those of the saved table are refused only, and not yielded. Throws
 * history_unread.
 */
export function* denialsInMovedCopy(options: MovedCopyOptions): Batches {
  const { folder, deny, alarms, log } = options
  const saved = existsSync(options.savedTable) ? loadTable(options.savedTable) : undefined
  yield* deniedInTable(saved, deny)
  const aside = lastMovedAside(folder, DATABASE_NAME)
  if (aside === undefined) return
  const unread: Range[] = []
  let [savedTo, last] = [0, 0]
  const bounded = (meta: Meta): Meta => {
    const used = options.bounded(meta)
    if (saved?.timeline === meta.timeline && saved.sweptMs <= used.issueClockMs) savedTo = saved.seq
    return used
  }
  try {
    for (const batch of denialsInDamagedCopy(aside, bounded, (range) => void unread.push(range))) {
      last = batch.at(-1)?.seq ?? last
      deny(batch.map(rowOfDenial))
      yield batch
    }
  } catch (error) {
    log.error({ aside, error: reportOf(error) }, 'a damaged copy cannot be read')
    unread.push({ first: last + 1, last: Infinity })
  }
  const lost = unread.filter((range) => range.last > savedTo)
  if (lost.length > 0) throw historyUnread(aside, lost)
  alarms.set('denials_unproven', last > savedTo ? `revocations ${savedTo + 1} to ${last} of ${aside}` : undefined)
}

function* deniedInTable(saved: SavedTable | undefined, deny: MovedCopyOptions['deny']): Batches {
  let rows: RevocationRow[] = []
  for (const row of saved?.revocations.rows() ?? []) {
    rows.push(row)
    if (rows.length < ROWS_A_BATCH) continue
    deny(rows)
    rows = []
    yield []
  }
  deny(rows)
}

/** Numbers of revocations, both included. */
interface Range {
  readonly first: number
  readonly last: number
}

/** Numbers between two attempts to read beyond damage. A page has about 60 rows. */
const PROBE_STEP = 16
/** Enough for a million revocations. The number of the last one may be damaged too. */
const PROBES_MAX = 100_000
const PROBES_A_TURN = 100

/**
 * The rows of a damaged database, which this replica enforced. Reading goes on after damage. Rows that cannot be read, or not
 * understood, are passed to `onUnread`; other rows may have changed without notice, because no checksum tells which page did.
 * Throws the errors of SQLite if the file is no database any more.
 */
function* denialsInDamagedCopy(
  path: string,
  bounded: (meta: Meta) => Meta,
  onUnread: (unread: Range) => void,
): Batches {
  const db = openReader(path)
  try {
    const meta = bounded(new MetaReader(db).read())
    const { timeline, epoch, issueClockMs, revocationSeq } = meta
    for (let after = 0; ;) {
      const rows = readSome(db, after)
      if (rows === undefined) {
        const next: number = yield* nextReadable(db, after + 1, revocationSeq)
        onUnread({ first: after + 1, last: next - 1 })
        if (next > revocationSeq) return
        after = next - 1
        continue
      }
      const last = rows.at(-1)
      if (last === undefined) return
      const isRead = ({ columns, seq }: NumberedColumns): boolean => {
        const isSound = rowOfDenial({ columns, seq }).kind !== 'unknown' && isShort(columns)
        if (!isSound) onUnread({ first: seq, last: seq })
        return isSound
      }
      const denials = rows.filter(isRead).map(({ seq, columns }) => ({ timeline, epoch, seq, columns }))
      yield denials.filter((one) => !isOutlived(rowOfDenial(one), issueClockMs))
      after = last.seq
    }
  } finally {
    db.close()
  }
}

/** Some rows after a number, one at least unless there are none. Undefined if the next row cannot be read. */
function readSome(db: Database, after: number): readonly NumberedColumns[] | undefined {
  return tryRead(db, after, ROWS_A_BATCH) ?? tryRead(db, after, 1)
}

/** Returns the least number from which on a row can be read; `last` + 1 if there is none. Yields nothing, now and then. */
function* nextReadable(db: Database, first: number, last: number): Generator<readonly Denial[], number> {
  let [unread, read] = [first, first + PROBE_STEP]
  for (let probes = 1; read <= last && tryRead(db, read - 1, 1) === undefined; probes += 1) {
    if (probes === PROBES_MAX) return last + 1
    if (probes % PROBES_A_TURN === 0) yield []
    ;[unread, read] = [read, read + PROBE_STEP]
  }
  while (read - unread > 1) {
    const middle = Math.floor((read + unread) / 2)
    if (tryRead(db, middle - 1, 1) === undefined) unread = middle
    else read = middle
  }
  return Math.min(read, last + 1)
}

function tryRead(db: Database, after: number, limit: number): readonly NumberedColumns[] | undefined {
  try {
    return readRevocationColumns(db, after, limit)
  } catch {
    return undefined
  }
}

/** False for a text that damage made too long for the file of denials. */
function isShort(columns: Denial['columns']): boolean {
  return JSON.stringify(columns).length < DENIAL_RECORD_BYTES_MAX / 2
}

function historyUnread(aside: string, lost: readonly Range[]): MacaroondError {
  const ranges = lost.slice(0, RANGES_SHOWN).map(rangeText).join(', ')
  const more = lost.length > RANGES_SHOWN ? ` and ${lost.length - RANGES_SHOWN} more ranges` : ''
  return new MacaroondError(
    'history_unread',
    `revocations ${ranges}${more} cannot be read from ${aside}, and the primary leads another history`,
    {
      hint: 'revoke at the primary what you know of them; then move that folder out of the data folder and restart this replica: it takes the new history, and accepts again what only these revocations refused',
    },
  )
}

function rangeText({ first, last }: Range): string {
  if (last === Infinity) return `from ${first} on`
  return first === last ? `${first}` : `${first} to ${last}`
}
