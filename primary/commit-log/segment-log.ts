/**
 * The primary's log of segments. It keeps each transaction as the LTX file that replicas get, so that a replica that was
 * disconnected can resume. A segment is written to the log before it is sent. The log is fsynced before SQLite's WAL may be
 * reset. Until then the WAL holds the same transactions, so a crash loses none.
 *
 * Part of the disk's reserve is a file beside the log. If an append finds the disk full, this file becomes the newest one of
 * the log and its bytes are overwritten. No other program can take this space, because it is never free.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { txid as asTxid, txidText, parseTxid, TXID_NONE, type Txid } from '../../shared/ids.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { syncDirectory, syncFile, rewriteAndSync, writeAt } from '../../shared/files/positional-io.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { LogFile } from './log-file.ts'

const FILE_BYTES_MAX = 16 * 1024 * 1024
/**
 * The configured size is divided into at least this many files: pruning deletes whole files, so the total stays near that
 * size.
 */
const FILES_KEPT_MIN = 4
export const SEGMENTS_SUFFIX = '.segments'
const RESERVE = 'reserve'
/** Room for a record's header, with a margin. */
const RECORD_ROOM_BYTES = 4096

export class SegmentLog {
  readonly #folder: string
  readonly #keepBytes: number
  readonly #fileBytes: number
  readonly #files: LogFile[] = []
  /** Size of the reserve file beside the log. */
  #reserved = 0
  #usedReserve = false

  private constructor(folder: string, keepBytes: number) {
    this.#folder = folder
    this.#keepBytes = keepBytes
    this.#fileBytes = Math.min(FILE_BYTES_MAX, Math.ceil(keepBytes / FILES_KEPT_MIN))
  }

  /**
   * Opens the log and cuts off a torn end. It writes the newest file again: an earlier fsync of the file may have failed, and
   * the WAL may be reset once the next fsync succeeds. `keepBytes` limits the size, plus at most one file. Throws log_corrupt.
   */
  static open(folder: string, keepBytes: number): SegmentLog {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const log = new SegmentLog(folder, keepBytes)
    const names = readdirSync(folder)
      .filter((name) => name.endsWith(SEGMENTS_SUFFIX))
      .toSorted()
    const newest = names.at(-1)
    if (newest !== undefined) rewriteAndSync(join(folder, newest))
    const reserve = join(folder, RESERVE)
    log.#reserved = existsSync(reserve) ? statSync(reserve).size : 0
    for (const [index, name] of names.entries()) {
      const file = new LogFile(join(folder, name), parseTxid(name.slice(0, -SEGMENTS_SUFFIX.length)))
      file.scan(index === names.length - 1)
      log.#addFile(file)
    }
    return log
  }

  get first(): Txid {
    return asTxid(this.#files.find((file) => file.count > 0)?.firstTxid ?? 0)
  }

  get last(): Txid {
    const file = this.#files.findLast((candidate) => candidate.count > 0)
    return file === undefined ? TXID_NONE : asTxid(file.firstTxid + file.count - 1)
  }

  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0)
  }

  has(txid: Txid): boolean {
    return this.last !== TXID_NONE && txid >= this.first && txid <= this.last
  }

  /** Throws disk_full if neither the disk nor the reserve has room. */
  append(txid: Txid, segment: Uint8Array): void {
    const last = this.last
    assert(last === TXID_NONE || txid === last + 1, `transaction ${txid} does not follow ${last} in the log`)
    try {
      this.#writable(txid).append(segment)
    } catch (error) {
      const failure = storageError(error, 'appending to the segment log')
      if (failure.code !== 'disk_full' || !this.#takeReserve(txid, segment.length)) throw failure
      this.#writable(txid).append(segment)
    }
  }

  /** True if an append has used the reserve since the last call. */
  usedReserve(): boolean {
    const took = this.#usedReserve
    this.#usedReserve = false
    return took
  }

  /** Bytes that appends can use on a full disk. */
  get room(): number {
    return this.#reserved + (this.#files.at(-1)?.room ?? 0)
  }

  /** Extends the reserve file to the wanted size, or as far as the disk has space. Throws disk_full. */
  fillReserve(bytes: number, block: Buffer): void {
    if (this.room >= bytes) return
    const path = join(this.#folder, RESERVE)
    const fd = openReserve(path)
    try {
      for (let size = fstatSync(fd).size; size < bytes; size += block.length) {
        writeAt(fd, block, 0, Math.min(block.length, bytes - size), size)
      }
      syncFile(fd, path)
    } finally {
      this.#reserved = fstatSync(fd).size
      closeSync(fd)
    }
  }

  /** Throws log_corrupt. */
  read(txid: Txid): Buffer {
    const file = this.#files.findLast((candidate) => candidate.firstTxid <= txid && candidate.count > 0)
    assert(file !== undefined, `transaction ${txid} is not in the log`)
    return file.read(txid)
  }

  /** Makes everything appended so far durable. */
  sync(): void {
    this.#files.at(-1)?.sync()
  }

  /** Deletes the oldest files beyond the size to keep, never the newest. Call it after a checkpoint. */
  prune(): void {
    while (this.#files.length > 1 && this.bytes - (this.#files[0]?.bytes ?? 0) > this.#keepBytes) {
      const file = this.#files.shift()
      file?.close()
      if (file !== undefined) unlinkSync(file.path)
    }
  }

  /** Moves all files into a new folder, whose path it returns, and begins a new log. */
  setAside(nowMs: number): string {
    this.close()
    const aside = join(this.#folder, `aside-${nowMs}`)
    mkdirSync(aside, { mode: 0o700 })
    for (const { path } of this.#files.splice(0)) renameSync(path, join(aside, basename(path)))
    return aside
  }

  close(): void {
    this.#files.at(-1)?.seal()
    for (const file of this.#files) file.close()
  }

  #addFile(file: LogFile): void {
    const last = this.last
    if (last !== TXID_NONE && file.firstTxid !== last + 1) {
      throw new MacaroondError('log_corrupt', `${file.path} does not follow transaction ${last}`, {
        hint: 'move the folder `log` aside; replicas that need its segments then get a snapshot',
      })
    }
    this.#files.push(file)
  }

  #writable(txid: Txid): LogFile {
    const newest = this.#files.at(-1)
    // A crash may leave the newest file without a record. It is used again, because a new file would have the same name.
    const fits = newest?.firstTxid === txid || (newest !== undefined && newest.count > 0)
    if (newest !== undefined && fits && newest.bytes < this.#fileBytes) return newest
    newest?.seal()
    const file = new LogFile(join(this.#folder, `${txidText(txid)}${SEGMENTS_SUFFIX}`), txid)
    this.#syncFolder()
    this.#files.push(file)
    return file
  }

  /** False if the reserve is too small. Replaces a newest file that has no record yet. */
  #takeReserve(txid: Txid, bytes: number): boolean {
    const path = join(this.#folder, RESERVE)
    if (this.#reserved < bytes + RECORD_ROOM_BYTES || !existsSync(path)) return false
    const newest = this.#files.at(-1)
    if (newest !== undefined && newest.count === 0) this.#files.pop()?.close()
    else newest?.seal()
    const name = join(this.#folder, `${txidText(txid)}${SEGMENTS_SUFFIX}`)
    renameSync(path, name)
    this.#reserved = 0
    this.#usedReserve = true
    const file = new LogFile(name, txid)
    file.reuseLength()
    this.#files.push(file)
    this.#syncFolder()
    return true
  }

  /** The name of a new file must be durable before the WAL that could recreate its content is reset. */
  #syncFolder(): void {
    syncDirectory(this.#folder)
  }
}

function openReserve(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  } catch (error) {
    throw storageError(error, `opening ${path}`)
  }
}
