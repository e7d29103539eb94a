/**
 * Encodes and decodes the records of the revocation journal.
 *
 * 1. An incomplete record is the torn end that a crash left.
 * 2. A whole record that this version does not know is an error, because the rows after it must not be lost (S7).
 * 3. The first row of an append, and every row of a rewritten file, has `synced`: the number of bytes that were durable before
 *    that row counted. An incomplete record before that offset is damage.
 */
import { z } from 'zod'
import { MacaroondError } from '../../shared/errors.ts'
import { timelineText } from '../../shared/id-schemas.ts'
import { epoch as asEpoch, EPOCH_MAX, timeline as asTimeline, type Epoch, type Timeline } from '../../shared/ids.ts'
import { JOURNAL_RECORD_BYTES_MAX } from '../../shared/limits.ts'
import { readRevocation, recordOf, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { encodeRecord, nextRecord, parseRecord, recordAt, RECORD_HEADER_BYTES } from './records.ts'

const place = z.strictObject({ timeline: timelineText, epoch: z.number().int().nonnegative().max(EPOCH_MAX) })

/** Rows of one timeline, in the order of their arrival. */
export interface JournalPart {
  readonly timeline: Timeline
  readonly epoch: Epoch
  readonly rows: RevocationRow[]
}

export function encodeTimeline({ timeline, epoch }: Pick<JournalPart, 'timeline' | 'epoch'>): Buffer {
  return encodeRecord({ timeline, epoch }, JOURNAL_RECORD_BYTES_MAX)
}

/** `synced` is the number of bytes that are durable before the row counts. Throws request_invalid if the row is too long. */
export function encodeRow(row: RevocationRow, synced: number = 0): Buffer {
  const record = recordOf(row)
  return encodeRecord(synced > 0 ? { ...record, synced } : record, JOURNAL_RECORD_BYTES_MAX)
}

/**
 * All records before the first incomplete one; `end` is its offset. Throws schema_newer, and log_corrupt unless the caller
 * knows of the damage.
 */
export function decodeJournal(
  bytes: Buffer,
  { isDamageKnown = false }: { readonly isDamageKnown?: boolean } = {},
): { readonly parts: readonly JournalPart[]; readonly end: number } {
  const parts: JournalPart[] = []
  for (let end = 0; ;) {
    const text = recordAt(bytes, end, JOURNAL_RECORD_BYTES_MAX)
    if (text === undefined) {
      if (!isDamageKnown) requireTorn(bytes, end)
      return { parts, end }
    }
    if (!take(parts, parseRecord(text))) throw notKnown(end)
    end += RECORD_HEADER_BYTES + text.length
  }
}

function take(parts: JournalPart[], value: unknown): boolean {
  const where = place.safeParse(value)
  if (where.success) {
    parts.push({ timeline: asTimeline(where.data.timeline), epoch: asEpoch(where.data.epoch), rows: [] })
    return true
  }
  const row = readRow(value)
  if (row !== undefined) parts.at(-1)?.rows.push(row)
  return row !== undefined && parts.length > 0
}

/** The row; undefined if the value is not one. */
export function readRow(value: unknown): RevocationRow | undefined {
  if (syncedOf(value) === 0) return readRevocation(value)
  const { synced: _, ...row } = value as Readonly<Record<string, unknown>>
  return readRevocation(row)
}

function syncedOf(value: unknown): number {
  const synced: unknown = typeof value === 'object' && value !== null && 'synced' in value ? value.synced : 0
  return typeof synced === 'number' ? synced : 0
}

/** Throws log_corrupt if a later record proves that `end` was on the disk. Otherwise a crash may have torn the file there. */
function requireTorn(bytes: Buffer, end: number): void {
  for (let at = nextRecord(bytes, end + 1, JOURNAL_RECORD_BYTES_MAX); at !== undefined;) {
    const text = recordAt(bytes, at, JOURNAL_RECORD_BYTES_MAX)
    if (text !== undefined && syncedOf(parseRecord(text)) > end) throw journalDamaged(end)
    at = nextRecord(bytes, at + RECORD_HEADER_BYTES + (text?.length ?? 0), JOURNAL_RECORD_BYTES_MAX)
  }
}

/** A record that was whole before cannot be read. */
export function journalDamaged(at: number): MacaroondError {
  return new MacaroondError('log_corrupt', `the revocation journal is damaged at byte ${at}, which was whole before`, {
    hint: 'it has revocations that may exist nowhere else: move the file away, keep it, and run no restore without it; then start the replica, which requests its revocations from its primary again',
  })
}

function notKnown(at: number): MacaroondError {
  return new MacaroondError(
    'schema_newer',
    `the revocation journal holds a record at byte ${at} that this version does not know`,
    { hint: 'run the macaroond that wrote it, or a newer one; the file was not changed' },
  )
}
