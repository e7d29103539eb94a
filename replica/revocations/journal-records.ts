/** The records of the revocation journal as bytes, both ways. What a crash left torn ends the journal. */
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { epoch as asEpoch, timeline as asTimeline, type Epoch, type Timeline } from '../../shared/ids.ts'
import { revocationRow, type RevocationRow } from '../../shared/protocol/revocations.ts'

const HEADER_BYTES = 8
const TEXT_BYTES_MAX = 4096

const place = z.strictObject({ timeline: z.string().length(32), epoch: z.number().int().nonnegative() })

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
  return encode(row)
}

/** Everything up to the first record that is not whole, and where that is. */
export function decodeJournal(bytes: Buffer): { readonly parts: readonly JournalPart[]; readonly end: number } {
  const parts: JournalPart[] = []
  for (let end = 0; ;) {
    const text = textAt(bytes, end)
    if (text === undefined || !take(parts, text)) return { parts, end }
    end += HEADER_BYTES + text.length
  }
}

function take(parts: JournalPart[], text: Buffer): boolean {
  const value: unknown = JSON.parse(text.toString('utf8'))
  const where = place.safeParse(value)
  if (where.success) {
    parts.push({ timeline: asTimeline(where.data.timeline), epoch: asEpoch(where.data.epoch), rows: [] })
    return true
  }
  const row = revocationRow.safeParse(value)
  if (row.success) parts.at(-1)?.rows.push(row.data)
  return row.success && parts.length > 0
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
