/**
 * One file of the segment log. It holds a sequence of records. Each record is an LTX file after a small header.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | "MSG1" |
 * | 4 | 4 | length of the LTX file in bytes, big endian |
 * | 8 | 4 | CRC-32 of the LTX file |
 * | 12 | n | the LTX file |
 *
 * 1. A short or damaged record at the end of the newest file was left by a crash. It is cut off, and its transaction is
 *    captured from SQLite's WAL again.
 * 2. A damaged record that is followed by other records was damaged by the disk. It stays, and reading it is an error.
 * 3. A file made from the reserve has unused bytes after its last record. Appends overwrite these bytes, so they succeed on a
 *    full disk. The unused bytes are cut off before the next file begins.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { MacaroondError } from '../../shared/errors.ts'
import { SEGMENT_BYTES_MAX } from '../../shared/limits.ts'
import { readAt, syncFile, writeAt } from '../../shared/files/positional-io.ts'
import { storageError } from '../../shared/files/storage-errors.ts'

const MAGIC = 0x4d534731
const HEADER_BYTES = 12

export class LogFile {
  readonly path: string
  readonly firstTxid: number
  readonly #fd: number
  readonly #header: Buffer = Buffer.allocUnsafe(HEADER_BYTES)
  /** Start of each record; record i is transaction firstTxid + i. */
  readonly #starts: number[] = []
  #end = 0
  /** Length of the file on disk, including the unused bytes after its last record. */
  #size = 0

  constructor(path: string, firstTxid: number) {
    this.path = path
    this.firstTxid = firstTxid
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  }

  get count(): number {
    return this.#starts.length
  }

  get bytes(): number {
    return this.#end
  }

  /** Finds the records. Only the newest file may have a torn end: `repair` cuts it off. Throws log_corrupt otherwise. */
  scan(repair: boolean): void {
    const size = fstatSync(this.#fd).size
    while (this.#end < size) {
      const length = this.#recordLength(this.#end, size, repair)
      if (length === undefined) break
      this.#starts.push(this.#end)
      this.#end += HEADER_BYTES + length
    }
    if (repair) this.#dropTorn()
    if (this.#end === size) return
    if (!repair) throw this.#corrupt(this.#end)
    ftruncateSync(this.#fd, this.#end)
  }

  /** Lets appends overwrite the file's present bytes. The file has no record yet. */
  reuseLength(): void {
    this.#size = fstatSync(this.#fd).size
  }

  /** Bytes that an append can overwrite, so that it needs no free disk space. */
  get room(): number {
    return Math.max(0, this.#size - this.#end)
  }

  /** Cuts off the unused bytes after the last record, and fsyncs the file. */
  seal(): void {
    if (this.room > 0) ftruncateSync(this.#fd, this.#end)
    this.#size = this.#end
    this.sync()
  }

  /** Drops damaged records from the end. A power cut may have torn several that were not synced. */
  #dropTorn(): void {
    for (let last = this.#starts.at(-1); last !== undefined; last = this.#starts.at(-1)) {
      if (this.#end - last >= HEADER_BYTES && this.#readRecord(last) !== undefined) return
      this.#starts.pop()
      this.#end = last
    }
  }

  append(segment: Uint8Array): void {
    const record = Buffer.allocUnsafe(HEADER_BYTES + segment.length)
    record.writeUInt32BE(MAGIC, 0)
    record.writeUInt32BE(segment.length, 4)
    record.writeUInt32BE(crc32(segment), 8)
    record.set(segment, HEADER_BYTES)
    this.#write(record)
    this.#starts.push(this.#end)
    this.#end += record.length
  }

  /** Throws log_corrupt. */
  read(txid: number): Buffer {
    const start = this.#starts[txid - this.firstTxid]
    if (start === undefined) throw new RangeError(`transaction ${txid} is not in ${this.path}`)
    const segment = this.#readRecord(start)
    if (segment === undefined) throw this.#corrupt(start)
    return segment
  }

  sync(): void {
    syncFile(this.#fd, this.path)
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** If the write fails, cuts off the part that was written, so that no partial record stays in the middle of the file. */
  #write(record: Buffer): void {
    try {
      writeAt(this.#fd, record, 0, record.length, this.#end)
    } catch (error) {
      if (this.room === 0) ftruncateSync(this.#fd, this.#end)
      throw storageError(error, `writing ${this.path}`)
    }
  }

  /**
   * Undefined at the end of the records. With `repair` the last record must have a valid CRC; `read` checks the others later.
   */
  #recordLength(start: number, size: number, repair: boolean): number | undefined {
    if (start + HEADER_BYTES > size || readAt(this.#fd, this.#header, 0, HEADER_BYTES, start) !== HEADER_BYTES) return
    const length = this.#header.readUInt32BE(4)
    // A crash may leave zeros. They must not count as an empty record, although their CRC would be right.
    const canBe = this.#header.readUInt32BE(0) === MAGIC && length > 0 && length <= SEGMENT_BYTES_MAX
    if (!canBe || start + HEADER_BYTES + length > size) return undefined
    const torn = repair && this.#readRecord(start) === undefined && !this.#beginsAt(start + HEADER_BYTES + length)
    return torn ? undefined : length
  }

  #beginsAt(start: number): boolean {
    return readAt(this.#fd, this.#header, 0, HEADER_BYTES, start) >= 4 && this.#header.readUInt32BE(0) === MAGIC
  }

  #readRecord(start: number): Buffer | undefined {
    readAt(this.#fd, this.#header, 0, HEADER_BYTES, start)
    const length = this.#header.readUInt32BE(4)
    const crc = this.#header.readUInt32BE(8)
    if (length > SEGMENT_BYTES_MAX) return undefined
    const segment = Buffer.allocUnsafe(length)
    if (readAt(this.#fd, segment, 0, length, start + HEADER_BYTES) !== length) return undefined
    return crc32(segment) === crc ? segment : undefined
  }

  #corrupt(start: number): MacaroondError {
    return new MacaroondError('log_corrupt', `${this.path}: the record at byte ${start} is damaged`, {
      hint: 'move the folder `log` aside; replicas that need its segments then get a snapshot',
    })
  }
}
