/**
 * Revocations that came on the stream before their pages did: small, fsynced, and what this replica acknowledges. It is
 * read at start, so that a token refused before a restart is refused after it, even in the middle of a long catch-up (S3).
 *
 * A record of a timeline says which history the revocations after it belong to; a new one never takes the place of an old
 * one, because denials stay. Rows go when durable pages of their own timeline hold them; those of an earlier timeline move to
 * the denials (denials.ts) once pages of a later one are durable. A record is
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | length n of the JSON text, big endian; 0 ends the journal |
 * | 4 | 4 | CRC-32 of the JSON text |
 * | 8 | n | JSON: {"timeline", "epoch"} or a revocation (shared/verifier/revocation-row.ts), which may have "synced" |
 *
 * Space is written ahead with zeros, so that a disk that fills up later does not keep a revocation out.
 */
import { closeSync, constants, fdatasync, fstatSync, openSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { Epoch, Timeline } from '../../shared/ids.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { syncDirectory, syncFile, writeAt } from '../../shared/files/positional-io.ts'
import { syncError } from '../../shared/files/storage-errors.ts'
import type { History } from './history.ts'
import { decodeJournal, encodeRow, encodeTimeline, type JournalPart } from './journal-records.ts'

/** Written ahead, and again whenever less than half of it is left. */
export const RESERVED_BYTES: number = 1024 * 1024
/** Beyond this, what durable pages hold is dropped although newer rows are still needed. */
const REWRITE_BYTES = 4 * RESERVED_BYTES

const fdatasyncInBackground = promisify(fdatasync)

export class RevocationJournal {
  readonly #path: string
  #fd: number
  #syncing: Promise<void> = Promise.resolve()
  /** End of the records, and of the space that is written. */
  #bytes: number
  #capacity: number
  #place: History | undefined
  /** Of the records: on the disk for certain. */
  #synced: number
  /** Epoch, and highest number, of each timeline that is here. */
  readonly #highest = new Map<Timeline, { readonly epoch: Epoch; readonly seq: number }>()
  #loaded: readonly JournalPart[]
  /** Counts how often the records began anew: a sync that was under way says nothing of what came then. */
  #begun = 0

  /** Throws schema_newer for a whole record that says what this version does not know, log_corrupt for damage. */
  constructor(path: string) {
    this.#path = path
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    const bytes = readFileSync(path)
    const { parts, end } = decodeJournal(bytes)
    this.#loaded = parts
    this.#place = parts.at(-1)
    this.#bytes = end
    this.#capacity = fstatSync(this.#fd).size
    for (const part of parts) this.#note(part, part.rows)
    // A process that was killed has written, but perhaps not synced, or not with success: then no later sync writes it, unless
    // it is written again. What is acknowledged from now on must be on the disk.
    writeAt(this.#fd, bytes, 0, end, 0)
    this.#wipe(end, this.#capacity)
    this.#reserve()
    syncFile(this.#fd, path)
    syncDirectory(dirname(path))
    this.#synced = end
  }

  /** What was here at start, in order; handed out once, because the tables keep it. */
  takeLoaded(): readonly JournalPart[] {
    const loaded = this.#loaded
    this.#loaded = []
    return loaded
  }

  /** Every row that is here now, whether it is durable or not. */
  rows(): readonly RevocationRow[] {
    return this.read().flatMap((part) => part.rows)
  }

  /**
   * Durable after `sync`; a restart of the process alone loses nothing. Throws disk_full, and request_invalid for a row that
   * could not be read back; then nothing was added.
   */
  append(place: History, rows: readonly RevocationRow[]): void {
    const records = rows.map((row, index) => encodeRow(row, index === 0 ? this.#synced : 0))
    if (this.#place?.timeline !== place.timeline) records.unshift(encodeTimeline(place))
    this.#write(Buffer.concat(records))
    this.#place = place
    this.#note(place, rows)
    this.#reserve()
  }

  /** Counts how often the records began anew: places in the file hold for one of these times only. */
  get generation(): number {
    return this.#begun
  }

  /** All that is here now, in order. */
  read(): readonly JournalPart[] {
    return decodeJournal(readFileSync(this.#path)).parts
  }

  /** Whether there are rows of a timeline that was left behind for this epoch. */
  hasBefore(epoch: Epoch): boolean {
    return [...this.#highest.values()].some((highest) => highest.epoch < epoch)
  }

  /** What was left behind for this epoch is kept elsewhere, durably; but for rows that this version does not understand. */
  dropBefore(epoch: Epoch): void {
    this.#keep((part) => (part.epoch < epoch ? part.rows.filter(({ kind }) => kind === 'unknown') : part.rows))
    for (const [timeline, highest] of this.#highest) if (highest.epoch < epoch) this.#highest.delete(timeline)
  }

  /**
   * Resolves when all that was appended before the call is durable. The disk works while the node goes on: a new
   * revocation must not wait for the fsync of the one before. Close only after it. After a rejection the node must end:
   * the kernel may call dirty pages clean, and nobody knows what is on the disk.
   */
  sync(): Promise<void> {
    const [begun, bytes] = [this.#begun, this.#bytes]
    const synced = fdatasyncInBackground(this.#fd)
      .then(() => {
        if (begun === this.#begun) this.#synced = Math.max(this.#synced, bytes)
      })
      .catch((error: unknown) => {
        throw syncError(error, this.#path)
      })
    this.#syncing = synced.catch(() => undefined)
    return synced
  }

  /** Pages of this timeline up to this revocation are durable: what they hold need not be here as well. */
  covered(timeline: Timeline, seq: number): void {
    if ((this.#highest.get(timeline)?.seq ?? Infinity) <= seq) this.#highest.delete(timeline)
    else if (this.#bytes < REWRITE_BYTES) return
    if (this.#highest.size === 0) this.#clear()
    else if (this.#bytes >= REWRITE_BYTES) this.#rewrite(timeline, seq)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #note({ timeline, epoch }: History, rows: readonly RevocationRow[]): void {
    const highest = rows.reduce((most, { seq }) => Math.max(most, seq), this.#highest.get(timeline)?.seq ?? 0)
    if (highest > 0) this.#highest.set(timeline, { epoch, seq: highest })
  }

  #write(bytes: Buffer): void {
    writeAt(this.#fd, bytes, 0, bytes.length, this.#bytes)
    this.#bytes += bytes.length
    this.#capacity = Math.max(this.#capacity, this.#bytes)
  }

  #clear(): void {
    this.#wipe(0, this.#bytes)
    this.#bytes = 0
    this.#begun += 1
    this.#synced = 0
    this.#place = undefined
  }

  /** Keeps what is still needed, in a new file under the same name: a crash leaves the one or the other, whole. */
  #rewrite(timeline: Timeline, seq: number): void {
    this.#keep(
      (part) => (part.timeline === timeline ? part.rows.filter((row) => row.seq > seq) : part.rows),
      this.#bytes / 2,
    )
  }

  /** Nothing is done where that leaves more than so many bytes. */
  #keep(rowsOf: (part: JournalPart) => readonly RevocationRow[], bytesMax: number = Infinity): void {
    const records: Buffer[] = []
    for (const part of this.read()) {
      const rows = rowsOf(part)
      if (rows.length > 0) records.push(encodeTimeline(part), ...rows.map((row) => encodeRow(row)))
    }
    const kept = Buffer.concat(records)
    if (kept.length <= bytesMax) this.#replace(kept)
  }

  #replace(content: Buffer): void {
    const temporary = `${this.#path}.tmp`
    const fd = openSync(temporary, 'w+', 0o600)
    writeAt(fd, content, 0, content.length, 0)
    syncFile(fd, temporary)
    renameSync(temporary, this.#path)
    syncDirectory(dirname(this.#path))
    const old = this.#fd
    // A sync of the old file may be under way on another thread; what it was asked for is durable in the new one already.
    void this.#syncing.finally(() => closeSync(old))
    this.#fd = fd
    this.#bytes = content.length
    this.#begun += 1
    this.#synced = content.length
    this.#capacity = content.length
    this.#place = undefined
    this.#reserve()
  }

  #wipe(start: number, end: number): void {
    if (end > start) writeAt(this.#fd, Buffer.alloc(end - start), 0, end - start, start)
  }

  /** On a full disk the space that is there has to do. */
  #reserve(): void {
    if (this.#capacity - this.#bytes > RESERVED_BYTES / 2) return
    const wanted = this.#bytes + RESERVED_BYTES
    try {
      this.#wipe(this.#capacity, wanted)
      this.#capacity = wanted
    } catch {
      this.#capacity = fstatSync(this.#fd).size
    }
  }
}
