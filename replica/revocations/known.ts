/**
 * Answers a restore's calls for all revocations that this replica knows. Each call returns one part: the denials come first,
 * then the journal, then the pages. The pages are last, because a row leaves the other two only once durable pages contain it.
 * A row of the journal moves back to the denials when its history is undone. So if the denials were rewritten before the
 * journal was read to its end, the caller is sent through the denials again.
 *
 * Before the pages are read, all of them are compared with their checksum (S8): the disk may have changed them since they were
 * applied. Meanwhile the caller gets answers without rows. A part that cannot be read does not hide the others from a caller
 * that understands `unread`; for any other caller it is an error.
 *
 * The caller passes back the number `next` of the last answer. A negative number encodes an offset in the denials or the
 * journal. A restore of an older version passes the number back as it is, so it receives the rows of these two files too.
 */
import { closeSync, openSync } from 'node:fs'
import type { Denials } from '../denials/denials.ts'
import { pause, type Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { ForgottenNumbers, readForgotten } from '../../shared/database/forgotten.ts'
import { readRevocationColumns, type RevocationColumns } from '../../shared/database/revocation-columns.ts'
import { CONTROL_MESSAGE_BYTES_MAX, JOURNAL_RECORD_BYTES_MAX } from '../../shared/limits.ts'
import { positionText } from '../../shared/position.ts'
import type { Denial } from '../../shared/protocol/denials.ts'
import { type KnownAnswer, knownParams } from '../../shared/protocol/known-revocations.ts'
import { params } from '../../shared/protocol/params.ts'
import { recordOf } from '../../shared/verifier/revocation-row.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import { readAt } from '../../shared/files/positional-io.ts'
import type { PageScrub } from '../store/page-scrub.ts'
import type { TableSource } from '../tables/tables.ts'
import type { AppliedState } from '../follower/core.ts'
import type { RevocationJournal } from './journal.ts'
import type { LostJournal } from './lost-journal.ts'
import { journalDamaged, readRow } from './journal-records.ts'
import { parseRecord, recordAt, RECORD_HEADER_BYTES } from './records.ts'

export interface KnownSources {
  /** Undefined without a database. */
  readonly source: TableSource | undefined
  readonly applied: AppliedState | undefined
  readonly denials: Pick<Denials, 'page' | 'generation'>
  readonly journal: Pick<RevocationJournal, 'bytes' | 'generation'> & { readonly path: string }
  readonly lostJournal: Pick<LostJournal, 'textAt'>
  readonly pageScrub: Pick<PageScrub, 'run' | 'pass' | 'outcome'>
  readonly timers: Pick<Timers, 'after'>
}

/** Limits of the rows in one answer, far below the limit of a message. */
const ROWS_A_CALL = 500
const BYTES_A_CALL: number = CONTROL_MESSAGE_BYTES_MAX / 4
/** How long a call waits for the comparison of the pages. Restores time out after two seconds. */
const COMPARE_WAIT_MS = 500

type Part = Pick<KnownAnswer, 'rows' | 'journal' | 'next' | 'unread'>

/**
 * Answers one call. `isUnreadTold`: the caller understands `unread`. Throws request_invalid for wrong parameters; log_corrupt
 * database_corrupt and io_failed for a part that cannot be read, unless the caller is told.
 */
export async function knownRevocations(
  sources: () => KnownSources,
  value: unknown,
  isUnreadTold: boolean = false,
): Promise<KnownAnswer> {
  const { after } = params(knownParams, value)
  const part = await partAfter(sources(), after, isUnreadTold)
  // Read after the part, which may have waited: the position is that of pages which were compared.
  const { source, applied } = sources()
  const { issueClockMs = 0, leaseMsMax = 0 } = source?.meta.read() ?? {}
  const position = applied === undefined ? null : positionText(applied.position)
  return { position, issueClockMs, leaseMsMax, ...part }
}

async function partAfter(sources: KnownSources, after: number, isUnreadTold: boolean): Promise<Part> {
  const { denials, journal } = sources
  if (after > 0) return laterPagesPart(sources, after, isUnreadTold)
  const now = { denials: denials.generation % GENERATIONS, journal: journal.generation % GENERATIONS }
  const asked = after === 0 ? { ...now, file: DENIALS, at: 0 } : decodePlace(after)
  // The denials were rewritten since the last call, so they are read from the beginning again.
  const place = asked.denials === now.denials ? asked : { ...now, file: DENIALS, at: 0 }
  const at = place.file === JOURNAL && place.journal !== now.journal ? 0 : place.at
  try {
    if (place.file === DENIALS)
      return { ...denialsPart(sources, now, at), ...(after === 0 && isUnreadTold ? lossOf(sources) : {}) }
    if (place.file === JOURNAL) return journalPart(journal, now, at)
    return await comparedPagesPart(sources, now, at)
  } catch (error) {
    return unreadPart(
      error,
      isUnreadTold,
      place.file === PAGES ? null : encodePlace({ ...now, file: place.file + 1, at: 0 }),
    )
  }
}

function laterPagesPart({ source }: KnownSources, after: number, isUnreadTold: boolean): Part {
  try {
    return pagesPart(source, after)
  } catch (error) {
    return unreadPart(error, isUnreadTold, null)
  }
}

/** The answer for a part that cannot be read, which names the next part. Throws any other error. */
function unreadPart(cause: unknown, isUnreadTold: boolean, next: number | null): Part {
  const error = sqliteError(cause, 'reading the pages')
  if (!isUnreadTold || !(error instanceof MacaroondError) || !UNREAD.has(error.code)) throw error
  return { rows: [], journal: [], next, unread: [error.message] }
}

/** The first answer names a lost journal. */
function lossOf({ lostJournal, applied }: KnownSources): Pick<Part, 'unread'> {
  const text = lostJournal.textAt(applied?.position.epoch)
  return text === undefined ? {} : { unread: [text] }
}

/** Codes of damage, and of a disk that cannot read a sector. */
const UNREAD: ReadonlySet<string> = new Set(['log_corrupt', 'database_corrupt', 'io_failed'])

type Generations = Pick<FilePlace, 'denials' | 'journal'>

function denialsPart({ denials, source }: KnownSources, now: Generations, at: number): Part {
  const { denials: rows, next } = denials.page(at === 0 ? undefined : at, { rows: ROWS_A_CALL, bytes: BYTES_A_CALL })
  const columns = withoutForgotten(rows, source).map((one) => one.columns)
  const file = next === undefined ? JOURNAL : DENIALS
  return { rows: columns, journal: [], next: encodePlace({ ...now, file, at: next ?? 0 }) }
}

function journalPart(journal: KnownSources['journal'], now: Generations, at: number): Part {
  const { rows, next } = journalRows(journal, at)
  const file = next === undefined ? PAGES : JOURNAL
  return { rows: [], journal: rows, next: encodePlace({ ...now, file, at: next ?? 0 }) }
}

/**
 * The first rows of the pages, once all pages were compared during this walk. Before that: no rows. `at` is the number of the
 * comparison that the caller waits for; 0 for one that is running or begins now.
 */
async function comparedPagesPart(sources: KnownSources, now: Generations, at: number): Promise<Part> {
  const { pageScrub, timers } = sources
  const wait = async (): Promise<Part> => {
    const running = pageScrub.run()
    const { pass } = pageScrub
    await Promise.race([running, pause(timers, COMPARE_WAIT_MS)])
    return { rows: [], journal: [], next: encodePlace({ ...now, file: PAGES, at: pass % PASSES }) }
  }
  const isAwaited = at !== 0 && at === pageScrub.pass % PASSES
  if (!isAwaited || pageScrub.outcome === undefined || pageScrub.outcome === 'stopped') return wait()
  if (pageScrub.outcome === 'sound') return pagesPart(sources.source, 0)
  if (pageScrub.outcome === 'unread')
    throw new MacaroondError('io_failed', 'the disk cannot read pages of this replica’s copy', {
      hint: 'check its disk and the kernel log',
    })
  throw new MacaroondError('database_corrupt', 'the disk changed pages of this replica’s copy', {
    hint: 'check its disk; a snapshot from its primary replaces the copy, and the tokens that it refused stay refused',
  })
}

/** The rows without those that the pages record as given up and that were not released yet. */
function withoutForgotten(rows: readonly Denial[], source: TableSource | undefined): readonly Denial[] {
  if (source === undefined || rows.length === 0) return rows
  const forgotten = new ForgottenNumbers(readForgotten(source.reader, source.meta.read().schema))
  return rows.filter((one) => !forgotten.has(one))
}

function pagesPart(source: TableSource | undefined, after: number): Part {
  const read = source === undefined ? [] : readRevocationColumns(source.reader, after, ROWS_A_CALL)
  const rows: RevocationColumns[] = []
  let bytes = 0
  for (const { columns } of read) {
    bytes += JSON.stringify(columns).length
    if (rows.length > 0 && bytes > BYTES_A_CALL) break
    rows.push(columns)
  }
  const isLast = read.length < ROWS_A_CALL && rows.length === read.length
  return { rows, journal: [], next: isLast ? null : (read[rows.length - 1]?.seq ?? null) }
}

/** Rows of the journal from an offset on. `next` is the offset of the next piece; undefined at the end of the records. */
function journalRows(
  { path, bytes: end }: KnownSources['journal'],
  start: number,
): { readonly rows: readonly object[]; readonly next: number | undefined } {
  const piece = readPiece(path, start)
  const rows: object[] = []
  for (let at = 0; ;) {
    if (start + at >= end) return { rows, next: undefined }
    const text = recordAt(piece, at, JOURNAL_RECORD_BYTES_MAX)
    // A whole record fits into a piece, so one that is not whole at its beginning is damaged.
    if (text === undefined && at === 0) throw journalDamaged(start)
    if (text === undefined || rows.length === ROWS_A_CALL) return { rows, next: start + at }
    const row = readRow(parseRecord(text))
    if (row !== undefined) rows.push(recordOf(row))
    at += RECORD_HEADER_BYTES + text.length
  }
}

function readPiece(path: string, start: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const piece = Buffer.alloc(BYTES_A_CALL)
    return piece.subarray(0, readAt(fd, piece, 0, BYTES_A_CALL, start))
  } finally {
    closeSync(fd)
  }
}

interface FilePlace {
  readonly file: number
  /** Generations of the two files, each modulo `GENERATIONS`: a rewrite makes offsets invalid. */
  readonly denials: number
  readonly journal: number
  readonly at: number
}

const DENIALS = 0
const JOURNAL = 1
const PAGES = 2
/** The file, both generations and the offset together stay below 2^53. */
const GENERATIONS = 512
const OFFSETS: number = 2 ** 33
const PASSES = 1_000_000

function encodePlace({ file, denials, journal, at }: FilePlace): number {
  return -(1 + ((file * GENERATIONS + denials) * GENERATIONS + journal) * OFFSETS + at)
}

function decodePlace(code: number): FilePlace {
  const number = -code - 1
  const [rest, at] = [Math.floor(number / OFFSETS), number % OFFSETS]
  const generations = Math.floor(rest / GENERATIONS)
  return {
    file: Math.min(PAGES, Math.floor(generations / GENERATIONS)),
    denials: generations % GENERATIONS,
    journal: rest % GENERATIONS,
    at,
  }
}
