/**
 * The revocation journal: revocations that arrived on the stream before their pages. It is small and synced, and a replica
 * acknowledges a revocation only when it is durable here. The journal is read at start, so a token that was refused before a
 * restart is refused after it, even during a long catch-up (S3).
 *
 * 1. A record of a timeline names the history of the revocations after it. Timelines follow one another in the file.
 * 2. A row is dropped once durable pages of its own timeline contain it.
 * 3. A row of an earlier timeline moves to the denials (denials.ts) once pages of a later one are durable.
 * 4. Space ahead is filled with zeros, so that a disk that becomes full later does not prevent a revocation.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | length n of the JSON text, big endian; 0 ends the journal |
 * | 4 | 4 | CRC-32 of the JSON text |
 * | 8 | n | JSON: {"timeline", "epoch"} or a revocation (shared/verifier/revocation-row.ts), which may have "synced" |
 */
import { closeSync, constants, fdatasync, fstatSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { MacaroondError } from '../../shared/errors.ts'
import type { Epoch, Timeline } from '../../shared/ids.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { syncDirectory, syncFile, writeAt } from '../../shared/files/positional-io.ts'
import { storageError, syncError } from '../../shared/files/storage-errors.ts'
import type { History } from './history.ts'
import { decodeJournal, encodeRow, encodeTimeline, journalDamaged, type JournalPart } from './journal-records.ts'

/** Space written ahead, in bytes; more is written when less than half of it is left. */
export const RESERVED_BYTES: number = 1024 * 1024
/** Above this size the file is rewritten without the rows that durable pages contain. */
const REWRITE_BYTES = 4 * RESERVED_BYTES
/** Codes of errors after which rows stay in the file for now. A scrub finds damage and mends it. */
const NOT_NOW: ReadonlySet<string> = new Set(['disk_full', 'log_corrupt'])

const fdatasyncInBackground = promisify(fdatasync)

/** An end of the records, and the history of the last one. */
export interface JournalMark {
  readonly generation: number
  readonly bytes: number
  readonly place: History | undefined
}

/** Each append is one write when the file is wiped. */
const APPENDS_WIPED_MAX = 64

export class RevocationJournal {
  readonly #path: string
  #fd: number
  #syncing: Promise<void> = Promise.resolve()
  /** End of the records; `#capacity` is the end of the space written ahead. */
  #bytes: number
  #capacity: number
  #place: History | undefined
  /** Bytes of the records that are certainly on the disk. */
  #synced: number
  /** Offsets of the appends since the file was empty; undefined for a file that was loaded or rewritten with rows. */
  #appends: number[] | undefined
  /** Epoch and highest number of each timeline in the file. */
  readonly #highest = new Map<Timeline, { readonly epoch: Epoch; readonly seq: number }>()
  #loaded: readonly JournalPart[]
  /**
   * Number of times that the records were cleared or rewritten. A sync that began before it proves nothing about the new ones.
   */
  #generation = 0

  /** Throws schema_newer for a whole record that this version does not know, log_corrupt for damage. */
  constructor(path: string) {
    this.#path = path
    // A file that a crash left unfinished.
    rmSync(this.#temporary, { force: true })
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    const bytes = readFileSync(path)
    const { parts, end } = decodeJournal(bytes)
    this.#loaded = parts
    this.#place = parts.at(-1)
    this.#bytes = end
    this.#capacity = fstatSync(this.#fd).size
    for (const part of parts) this.#note(part, part.rows)
    // An earlier process may have written rows and failed to sync them. The kernel may have marked them as clean, so a later
    // sync would not write them. They are written again, because they will be acknowledged.
    writeAt(this.#fd, bytes, 0, end, 0)
    this.#wipe(end, this.#capacity)
    this.#reserve()
    syncFile(this.#fd, path)
    syncDirectory(dirname(path))
    this.#synced = end
    this.#appends = end === 0 ? [] : undefined
  }

  /** The rows that were here at start, in order. They are returned once and then released, because the tables keep them. */
  takeLoaded(): readonly JournalPart[] {
    const loaded = this.#loaded
    this.#loaded = []
    return loaded
  }

  /** Every row in the file, durable or not. */
  rows(): readonly RevocationRow[] {
    return this.read().flatMap((part) => part.rows)
  }

  /**
   * Adds rows. They survive the end of the process at once, and a power cut after `sync`. Throws disk_full, and request_invalid
   * for a row that is too long to be read back; then nothing was added.
   */
  append(place: History, rows: readonly RevocationRow[]): void {
    const records = rows.map((row, index) => encodeRow(row, index === 0 ? this.#synced : 0))
    if (this.#place?.timeline !== place.timeline) records.unshift(encodeTimeline(place))
    this.#appends?.push(this.#bytes)
    this.#write(Buffer.concat(records))
    this.#place = place
    this.#note(place, rows)
    this.#reserve()
  }

  /** Number of times that the records were cleared or rewritten. An offset in the file is valid for one generation only. */
  get generation(): number {
    return this.#generation
  }

  /** End of the records. Only what follows it may be torn. */
  get bytes(): number {
    return this.#bytes
  }

  /** The contents of the file, in order. Throws log_corrupt if a record became unreadable while this process runs. */
  read(): readonly JournalPart[] {
    const { parts, end } = decodeJournal(readFileSync(this.#path))
    if (end < this.#bytes) throw journalDamaged(end)
    return parts
  }

  /** True if there are rows of an epoch before this one. */
  hasBefore(epoch: Epoch): boolean {
    return [...this.#highest.values()].some((highest) => highest.epoch < epoch)
  }

  /**
   * Drops rows of epochs before this one, which the denials keep. Rows that this version does not understand stay. Throws
   * disk_full, io_failed, log_corrupt; then nothing was dropped.
   */
  dropBefore(epoch: Epoch): void {
    this.#keep(this.read(), (part) => {
      return part.epoch < epoch ? part.rows.filter(({ kind }) => kind === 'unknown') : part.rows
    })
    for (const [timeline, highest] of this.#highest) if (highest.epoch < epoch) this.#highest.delete(timeline)
  }

  /** The rows before the first damaged record, and the error that names it; undefined for a sound file. */
  readable(): { readonly parts: readonly JournalPart[]; readonly damage: MacaroondError | undefined } {
    const bytes = readFileSync(this.#path).subarray(0, this.#bytes)
    const { parts, end } = decodeJournal(bytes, { isDamageKnown: true })
    return { parts, damage: end < this.#bytes ? journalDamaged(end) : undefined }
  }

  /** The present end of the records, for `dropDamaged`. */
  mark(): JournalMark {
    return { generation: this.#generation, bytes: this.#bytes, place: this.#place }
  }

  /**
   * Rewrites a damaged file with the rows before the damage, and with all rows that were appended after `mark`: some of them
   * are acknowledged, and nothing else has them. The caller has made the rows between durable. False if the file stays as
   * it is: it was replaced after `mark`, or a later row is damaged too, and another attempt is needed. Throws disk_full,
   * io_failed.
   */
  dropDamaged({ generation, bytes: marked, place }: JournalMark): boolean {
    if (generation !== this.#generation) return false
    const bytes = readFileSync(this.#path).subarray(0, this.#bytes)
    const later = Buffer.concat([place === undefined ? Buffer.alloc(0) : encodeTimeline(place), bytes.subarray(marked)])
    const before = decodeJournal(bytes.subarray(0, marked), { isDamageKnown: true })
    const after = decodeJournal(later, { isDamageKnown: true })
    if (after.end < later.length) return false
    const parts = [...before.parts, ...after.parts]
    this.#keep(parts, ({ rows }) => rows)
    this.#highest.clear()
    for (const part of parts) this.#note(part, part.rows)
    return true
  }

  /**
   * Resolves when all rows that were appended before the call are durable. The sync runs on another thread, so a new revocation
   * can be enforced meanwhile. Do not close the journal before it ends. Throws sync_failed; then the node must end, because the
   * state of the disk is unknown.
   */
  sync(): Promise<void> {
    const [generation, bytes] = [this.#generation, this.#bytes]
    const synced = fdatasyncInBackground(this.#fd)
      .then(() => {
        if (generation === this.#generation) this.#synced = Math.max(this.#synced, bytes)
      })
      .catch((error: unknown) => {
        throw syncError(error, this.#path)
      })
    this.#syncing = synced.catch(() => undefined)
    return synced
  }

  /**
   * To be called when pages of this timeline up to this number are durable: their rows are not needed here any more. On a full
   * disk, and if the file is damaged, rows stay.
   */
  dropInPages(timeline: Timeline, seq: number): void {
    try {
      this.#dropInPages(timeline, seq)
    } catch (cause) {
      const error = storageError(cause, 'dropping rows of the revocation journal')
      if (!NOT_NOW.has(error.code)) throw error
    }
  }

  #dropInPages(timeline: Timeline, seq: number): void {
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

  /**
   * Wipes the last append first: a kill in the middle then leaves whole appends and a torn end. From front to back it would
   * leave later rows behind a hole, which is damage. A file with many appends is replaced.
   */
  #clear(): void {
    if (this.#appends === undefined || this.#appends.length > APPENDS_WIPED_MAX) return this.#replace(Buffer.alloc(0))
    for (const start of this.#appends.toReversed()) {
      this.#wipe(start, this.#bytes)
      this.#bytes = start
    }
    this.#appends = []
    this.#generation += 1
    this.#synced = 0
    this.#place = undefined
  }

  /** Writes the rows that are still needed into a new file and renames it. A crash leaves the old file or the new one. */
  #rewrite(timeline: Timeline, seq: number): void {
    this.#keep(
      this.read(),
      (part) => (part.timeline === timeline ? part.rows.filter((row) => row.seq > seq) : part.rows),
      this.#bytes / 2,
    )
  }

  /**
   * Keeps the rows that `rowsOf` returns. Each has its own offset as `synced`: the new file is durable before it counts. Does
   * nothing if more than `bytesMax` bytes would be left.
   */
  #keep(
    parts: readonly JournalPart[],
    rowsOf: (part: JournalPart) => readonly RevocationRow[],
    bytesMax: number = Infinity,
  ): void {
    const records: Buffer[] = []
    let bytes = 0
    const push = (record: Buffer): void => {
      records.push(record)
      bytes += record.length
    }
    for (const part of parts) {
      const rows = rowsOf(part)
      if (rows.length > 0) push(encodeTimeline(part))
      // A row of an unknown kind may have no room for the offset.
      for (const row of rows) push(encodeRow(row, row.kind === 'unknown' ? 0 : bytes))
    }
    if (bytes <= bytesMax) this.#replace(Buffer.concat(records))
  }

  #replace(content: Buffer): void {
    const fd = this.#written(content)
    const old = this.#fd
    // A sync of the old file may still run on another thread, so it is closed later. Its rows are durable in the new file.
    void this.#syncing.finally(() => closeSync(old))
    this.#fd = fd
    this.#bytes = content.length
    this.#appends = content.length === 0 ? [] : undefined
    this.#generation += 1
    this.#synced = content.length
    this.#capacity = content.length
    this.#place = undefined
    this.#reserve()
  }

  /** Gives a new file with this content the name of the journal, durably. Returns its descriptor. */
  #written(content: Buffer): number {
    let fd: number | undefined
    try {
      fd = openSync(this.#temporary, 'w+', 0o600)
      writeAt(fd, content, 0, content.length, 0)
      syncFile(fd, this.#temporary)
      renameSync(this.#temporary, this.#path)
      syncDirectory(dirname(this.#path))
      return fd
    } catch (error) {
      if (fd !== undefined) closeSync(fd)
      // On a full disk other files need the space.
      rmSync(this.#temporary, { force: true })
      throw storageError(error, 'rewriting the revocation journal')
    }
  }

  get #temporary(): string {
    return `${this.#path}.tmp`
  }

  #wipe(start: number, end: number): void {
    if (end > start) writeAt(this.#fd, Buffer.alloc(end - start), 0, end - start, start)
  }

  /** Writes space ahead. On a full disk it keeps the space that there is. */
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
