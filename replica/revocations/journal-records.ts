/**
 * The records of the revocation journal as bytes, both ways. What a crash left torn ends the journal; a record that is whole
 * and says what this version does not know is no crash, and nothing behind it may be lost (S7).
 */
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { MacaroondError } from '../../shared/errors.ts'
import { epoch as asEpoch, EPOCH_MAX, timeline as asTimeline, type Epoch, type Timeline } from '../../shared/ids.ts'
import { timelineText } from '../../shared/protocol/timeline-text.ts'
import { readRevocation, recordOf, type RevocationRow } from '../../shared/protocol/revocation-row.ts'

const HEADER_BYTES = 8
const TEXT_BYTES_MAX = 4096

const place = z.strictObject({ timeline: timelineText, epoch: z.number().int().nonnegative().max(EPOCH_MAX) })

/** Rows of one timeline, in the order they came in. */
export interface JournalPart {
  readonly timeline: Timeline
  readonly epoch: Epoch
  readonly rows: RevocationRow[]
}

export function encodeTimeline({ timeline, epoch }: Pick<JournalPart, 'timeline' | 'epoch'>): Buffer {
  return encode({ timeline, epoch })
}

export function encodeRow(row: RevocationRow): Buffer {
  return encode(recordOf(row))
}

/** Everything up to the first record that is not whole, and where that is. Throws schema_newer. */
export function decodeJournal(bytes: Buffer): { readonly parts: readonly JournalPart[]; readonly end: number } {
  const parts: JournalPart[] = []
  for (let end = 0; ;) {
    const text = textAt(bytes, end)
    if (text === undefined) return { parts, end }
    if (!take(parts, parse(text))) throw notKnown(end)
    end += HEADER_BYTES + text.length
  }
}

function take(parts: JournalPart[], value: unknown): boolean {
  const where = place.safeParse(value)
  if (where.success) {
    parts.push({ timeline: asTimeline(where.data.timeline), epoch: asEpoch(where.data.epoch), rows: [] })
    return true
  }
  const row = readRevocation(value)
  if (row !== undefined) parts.at(-1)?.rows.push(row)
  return row !== undefined && parts.length > 0
}

function parse(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch {
    return undefined
  }
}

function notKnown(at: number): MacaroondError {
  return new MacaroondError(
    'schema_newer',
    `the revocation journal holds a record at byte ${at} that this version does not know`,
    { hint: 'run the macaroond that wrote it, or a newer one; nothing of it was changed' },
  )
}

function encode(value: object): Buffer {
  const text = Buffer.from(JSON.stringify(value))
  const record = Buffer.allocUnsafe(HEADER_BYTES + text.length)
  record.writeUInt32BE(text.length, 0)
  record.writeUInt32BE(crc32(text), 4)
  text.copy(record, HEADER_BYTES)
  return record
}

function textAt(bytes: Buffer, start: number): Buffer | undefined {
  if (start + HEADER_BYTES > bytes.length) return undefined
  const length = bytes.readUInt32BE(start)
  const end = start + HEADER_BYTES + length
  if (length === 0 || length > TEXT_BYTES_MAX || end > bytes.length) return undefined
  const text = bytes.subarray(start + HEADER_BYTES, end)
  return crc32(text) === bytes.readUInt32BE(start + 4) ? text : undefined
}
