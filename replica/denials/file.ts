/**
 * The file of denials: revocations of undone histories that this replica still enforces. Each change writes a whole new file
 * and renames it, so a crash leaves the old file or the new one, and anything unreadable in it is damage.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 8 | `MCNDDENY` |
 * | 8 | 4 | version, 1, big endian |
 * | 12 | | records (revocations/records.ts), in this order: |
 * | | | {"timeline", "epoch"} before the rows of that history |
 * | | | {"seq", "columns"} for each row |
 * | | | {"rows"} at the end, the number of rows |
 */
import { closeSync, fdatasync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { MacaroondError } from '../../shared/errors.ts'
import { timelineText } from '../../shared/id-schemas.ts'
import { epoch as asEpoch, EPOCH_MAX, timeline as asTimeline } from '../../shared/ids.ts'
import { DENIAL_RECORD_BYTES_MAX } from '../../shared/limits.ts'
import type { Denial } from '../../shared/protocol/denials.ts'
import { isRevocationColumns } from '../../shared/protocol/known-revocations.ts'
import { readAt, syncDirectory, writeAt } from '../../shared/files/positional-io.ts'
import { storageError, syncError } from '../../shared/files/storage-errors.ts'
import { encodeRecord, parseRecord, recordAt, RECORD_HEADER_BYTES } from '../revocations/records.ts'

const HEADER: Buffer = Buffer.from('MCNDDENY\0\0\0\u0001', 'latin1')
const WRITE_BYTES = 64 * 1024
const READ_BYTES = 256 * 1024

const fdatasyncInBackground = promisify(fdatasync)

const place = z.strictObject({
  timeline: timelineText.transform(asTimeline),
  epoch: z.number().int().nonnegative().max(EPOCH_MAX).transform(asEpoch),
})
const end = z.strictObject({ rows: z.number().int().nonnegative() })

export type HistoryOfDenial = Pick<Denial, 'timeline' | 'epoch'>

/** Writes a new file. `finish` replaces the old file with it, durably. */
export class DenialsWriter {
  readonly #path: string
  readonly #fd: number
  #place: HistoryOfDenial | undefined
  #waiting: Buffer[] = [HEADER]
  #waitingBytes = HEADER.length
  #written = 0
  #rows = 0
  #closed = false

  constructor(path: string) {
    this.#path = path
    try {
      this.#fd = openSync(this.#temporary, 'w', 0o600)
    } catch (error) {
      throw storageError(error, `creating ${this.#temporary}`)
    }
  }

  get rows(): number {
    return this.#rows
  }

  get #temporary(): string {
    return `${this.#path}.tmp`
  }

  /** Throws disk_full, io_failed, and request_invalid for a row that is too long to be read back. */
  add({ timeline, epoch, seq, columns }: Denial): void {
    if (this.#place?.timeline !== timeline || this.#place.epoch !== epoch) {
      this.#place = { timeline, epoch }
      this.#push(this.#place)
    }
    this.#push({ seq, columns })
    this.#rows += 1
  }

  /** The last step: syncs the new file and gives it the name of the old one, durably. Throws sync_failed. */
  async finish(): Promise<void> {
    this.#push({ rows: this.#rows })
    this.#flush()
    try {
      await fdatasyncInBackground(this.#fd)
    } catch (error) {
      throw syncError(error, this.#temporary)
    }
    this.#close()
    renameSync(this.#temporary, this.#path)
    syncDirectory(dirname(this.#path))
  }

  /** Deletes the new file if it is not finished; the old file stays. */
  abandon(): void {
    this.#close()
    rmSync(this.#temporary, { force: true })
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#fd)
  }

  #push(value: object): void {
    const record = encodeRecord(value, DENIAL_RECORD_BYTES_MAX)
    this.#waiting.push(record)
    this.#waitingBytes += record.length
    if (this.#waitingBytes >= WRITE_BYTES) this.#flush()
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#waiting)
    writeAt(this.#fd, bytes, 0, bytes.length, this.#written)
    this.#written += bytes.length
    this.#waiting = []
    this.#waitingBytes = 0
  }
}

/** A row, and the offset of the next record. */
export interface ReadDenial {
  readonly denial: Denial
  readonly next: number
}

/** Stands for the history of rows that precede the first timeline record, if the reader begins in the middle of the file. */
const UNKNOWN_HISTORY: HistoryOfDenial = { timeline: asTimeline('0'.repeat(32)), epoch: asEpoch(0) }

/** Reads a file of denials piece by piece, from its beginning or from an offset that another reader returned. */
export class DenialsReader {
  readonly #path: string
  readonly #fd: number
  readonly #isWhole: boolean
  #bytes: Buffer = Buffer.alloc(0)
  /** Offset in the file of the first of `#bytes`. */
  #start: number
  #place: HistoryOfDenial | undefined

  /** Throws io_failed, log_corrupt. */
  constructor(path: string, at?: number) {
    this.#path = path
    this.#isWhole = at === undefined
    this.#start = at ?? HEADER.length
    this.#place = at === undefined ? undefined : UNKNOWN_HISTORY
    try {
      this.#fd = openSync(path, 'r')
    } catch (error) {
      throw storageError(error, `opening ${path}`)
    }
    if (this.#isWhole) this.#requireHeader()
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** The rows in order. Throws log_corrupt at a damaged record. */
  *rows(): Generator<ReadDenial> {
    for (let at = this.#start, count = 0; ;) {
      const text = this.#textAt(at)
      if (text === undefined) throw this.#damaged(at)
      at += RECORD_HEADER_BYTES + text.length
      const value = parseRecord(text)
      if (isRow(value) && this.#place !== undefined) {
        count += 1
        const { seq, columns } = value
        yield { denial: { ...this.#place, seq, columns }, next: at }
        continue
      }
      const ended = end.safeParse(value)
      if (ended.success) {
        if ((this.#isWhole && ended.data.rows !== count) || this.#hasBytesAt(at)) throw this.#damaged(at)
        return
      }
      const here = place.safeParse(value)
      if (!here.success) throw this.#damaged(at)
      this.#place = here.data
    }
  }

  #textAt(at: number): Buffer | undefined {
    const found = recordAt(this.#bytes, at - this.#start, DENIAL_RECORD_BYTES_MAX)
    if (found !== undefined) return found
    const piece = Buffer.alloc(READ_BYTES)
    const length = readAt(this.#fd, piece, 0, READ_BYTES, at)
    this.#bytes = piece.subarray(0, length)
    this.#start = at
    return recordAt(this.#bytes, 0, DENIAL_RECORD_BYTES_MAX)
  }

  #hasBytesAt(at: number): boolean {
    return readAt(this.#fd, Buffer.alloc(1), 0, 1, at) > 0
  }

  #requireHeader(): void {
    const header = Buffer.alloc(HEADER.length)
    readAt(this.#fd, header, 0, HEADER.length, 0)
    if (header.equals(HEADER)) return
    this.close()
    throw this.#damaged(0)
  }

  #damaged(at: number): MacaroondError {
    return damagedDenials(this.#path, at)
  }
}

function isRow(value: unknown): value is Pick<Denial, 'seq' | 'columns'> {
  if (typeof value !== 'object' || value === null || !('seq' in value) || !('columns' in value)) return false
  const { seq, columns } = value
  return Number.isSafeInteger(seq) && Number(seq) > 0 && isRevocationColumns(columns)
}

function damagedDenials(path: string, at: number): MacaroondError {
  return new MacaroondError('log_corrupt', `${path} is damaged before byte ${at}`, {
    hint: 'it has revocations that may exist nowhere else: replace it with a sound copy; if there is none, `macaroond revocations pending` lists those that were reported to the primary and still wait; then move the file away',
  })
}
