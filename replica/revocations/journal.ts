/**
 * Revocations that came on the stream before their pages did: small, fsynced, and what this replica acknowledges. It is
 * read at start, so that a token refused before a restart is refused after it, even in the middle of a long catch-up (S3).
 *
 * A record of a timeline says which history the revocations after it belong to; a new one never takes the place of an old
 * one, because denials stay. Rows go when durable pages of their own timeline hold them. A record is
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | length n of the JSON text, big endian; 0 ends the journal |
 * | 4 | 4 | CRC-32 of the JSON text |
 * | 8 | n | JSON: {"timeline", "epoch"} or a revocation (shared/protocol/revocation-row.ts) |
 *
 * Space is written ahead with zeros, so that a disk that fills up later does not keep a revocation out.
 */
import { closeSync, constants, fdatasync, fstatSync, openSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { Epoch, Timeline } from '../../shared/ids.ts'
import type { RevocationRow } from '../../shared/protocol/revocation-row.ts'
import { syncDirectory, syncFile, writeAt } from '../../shared/sqlite/positional-io.ts'
import { syncError } from '../../shared/sqlite/storage-errors.ts'
import { decodeJournal, encodeRow, encodeTimeline, type JournalPart } from './journal-records.ts'

/** Written ahead, and again whenever less than half of it is left. */
export const RESERVED_BYTES: number = 1024 * 1024
/** Beyond this, what durable pages hold is dropped although newer rows are still needed. */
const REWRITE_BYTES = 4 * RESERVED_BYTES

const fdatasyncInBackground = promisify(fdatasync)

export interface Place {
  readonly timeline: Timeline
  readonly epoch: Epoch
}

export class RevocationJournal {
  readonly #path: string
  #fd: number
  #syncing: Promise<void> = Promise.resolve()
  /** End of the records, and of the space that is written. */
  #bytes: number
  #capacity: number
  #place: Place | undefined
  /** Highest number of each timeline that is here. */
  readonly #highest = new Map<Timeline, number>()
  #loaded: readonly JournalPart[]

  /** Throws schema_newer for a whole record that says what this version does not know. */
  constructor(path: string) {
    this.#path = path
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    const bytes = readFileSync(path)
    const { parts, end } = decodeJournal(bytes)
    this.#loaded = parts
    this.#place = parts.at(-1)
    this.#bytes = end
    this.#capacity = fstatSync(this.#fd).size
    for (const part of parts) this.#note(part.timeline, part.rows)
    // A process that was killed has written, but perhaps not synced, or not with success: then no later sync writes it, unless
    // it is written again. What is acknowledged from now on must be on the disk.
    writeAt(this.#fd, bytes, 0, end, 0)
    this.#wipe(end, this.#capacity)
    this.#reserve()
    syncFile(this.#fd, path)
    syncDirectory(dirname(path))
  }

  /** What was here at start, in order; handed out once, because the tables keep it. */
  takeLoaded(): readonly JournalPart[] {
    const loaded = this.#loaded
    this.#loaded = []
    return loaded
  }

  /** Every row that is here now, whether it is durable or not. */
  rows(): readonly RevocationRow[] {
    return decodeJournal(readFileSync(this.#path)).parts.flatMap((part) => part.rows)
  }

  /** Durable after `sync`; a restart of the process alone loses nothing. Throws disk_full, and then nothing was added. */
  append(place: Place, rows: readonly RevocationRow[]): void {
    const records = rows.map(encodeRow)
    if (this.#place?.timeline !== place.timeline) records.unshift(encodeTimeline(place))
    this.#write(Buffer.concat(records))
    this.#place = place
    this.#note(place.timeline, rows)
    this.#reserve()
  }

  /**
   * Resolves when all that was appended before the call is durable. The disk works while the node goes on: a new
   * revocation must not wait for the fsync of the one before. Close only after it. After a rejection the node must end:
   * the kernel may call dirty pages clean, and nobody knows what is on the disk.
   */
  sync(): Promise<void> {
    const synced = fdatasyncInBackground(this.#fd).catch((error: unknown) => {
      throw syncError(error, this.#path)
    })
    this.#syncing = synced.catch(() => undefined)
    return synced
  }

  /** Pages of this timeline up to this revocation are durable: what they hold need not be here as well. */
  covered(timeline: Timeline, seq: number): void {
    if ((this.#highest.get(timeline) ?? Infinity) <= seq) this.#highest.delete(timeline)
    else if (this.#bytes < REWRITE_BYTES) return
    if (this.#highest.size === 0) this.#clear()
    else if (this.#bytes >= REWRITE_BYTES) this.#rewrite(timeline, seq)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #note(timeline: Timeline, rows: readonly RevocationRow[]): void {
    const highest = rows.reduce((most, { seq }) => Math.max(most, seq), this.#highest.get(timeline) ?? 0)
    if (highest > 0) this.#highest.set(timeline, highest)
  }

  #write(bytes: Buffer): void {
    writeAt(this.#fd, bytes, 0, bytes.length, this.#bytes)
    this.#bytes += bytes.length
    this.#capacity = Math.max(this.#capacity, this.#bytes)
  }

  #clear(): void {
    this.#wipe(0, this.#bytes)
    this.#bytes = 0
    this.#place = undefined
  }

  /** Keeps what is still needed, in a new file under the same name: a crash leaves the one or the other, whole. */
  #rewrite(timeline: Timeline, seq: number): void {
    const records: Buffer[] = []
    for (const part of decodeJournal(readFileSync(this.#path)).parts) {
      const rows = part.timeline === timeline ? part.rows.filter((row) => row.seq > seq) : part.rows
      if (rows.length > 0) records.push(encodeTimeline(part), ...rows.map(encodeRow))
    }
    const kept = Buffer.concat(records)
    if (kept.length <= this.#bytes / 2) this.#replace(kept)
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
