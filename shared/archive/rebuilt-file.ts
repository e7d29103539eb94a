/**
 * The database file that a rebuild writes: the pages of the whole database as they stream in, a run of them at a time, then
 * what changed, merged in memory as far as it fits, so that each page is written about once. Pages are unpacked where they
 * are needed: the last of many images of a page takes the place of the one before it.
 */
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { MacaroondError } from '../errors.ts'
import type { Checksum } from '../ids.ts'
import { MERGE_BYTES_MAX } from '../limits.ts'
import { lockPage } from '../ltx/database-pages.ts'
import type { PageRoom, PageSink } from '../ltx/decoder.ts'
import type { SegmentHeader } from '../ltx/header.ts'
import { PageChecksums } from '../ltx/rolling-checksum.ts'
import { writeAt } from '../sqlite/positional-io.ts'
import { storageError } from '../sqlite/storage-errors.ts'

const RUN_BYTES: number = 1024 * 1024

export class RebuiltFile {
  readonly #fd: number
  /** Pages of the whole database that follow each other. */
  readonly #run: Buffer = Buffer.allocUnsafe(RUN_BYTES)
  #runFirst = 1
  #runBytes = 0
  readonly #waiting = new Map<number, Buffer>()
  #checksums: PageChecksums | undefined
  #header: SegmentHeader | undefined

  /** Throws io_failed. */
  constructor(path: string) {
    try {
      this.#fd = openSync(path, 'wx', 0o600)
    } catch (error) {
      throw storageError(error, `creating ${path}`)
    }
  }

  readonly wholeRoom: PageRoom = (pgno, pageSize) => {
    const follows = pgno === this.#runFirst + this.#runBytes / pageSize
    if (!follows || this.#runBytes === RUN_BYTES) {
      this.#writeRun(pageSize)
      this.#runFirst = pgno
    }
    this.#runBytes += pageSize
    return this.#run.subarray(this.#runBytes - pageSize, this.#runBytes)
  }

  readonly onWholePage: PageSink = (pgno, _, { pageSize }, crc) => {
    this.#checksums ??= new PageChecksums(pageSize)
    this.#checksums.setSummed(pgno, crc)
  }

  wholeEnds(header: SegmentHeader): void {
    this.#writeRun(header.pageSize)
    this.#header = header
  }

  readonly changedRoom: PageRoom = (pgno, pageSize) => {
    const before = this.#waiting.get(pgno)
    if (before?.length === pageSize) return before
    const page = Buffer.allocUnsafeSlow(pageSize)
    this.#waiting.set(pgno, page)
    return page
  }

  /** A file with changes was unpacked and found right. */
  changed(header: SegmentHeader): void {
    const shrank = header.commit < (this.#header?.commit ?? 0)
    if (shrank) for (const pgno of this.#waiting.keys()) if (pgno > header.commit) this.#waiting.delete(pgno)
    this.#header = header
    if (this.#waiting.size * header.pageSize > MERGE_BYTES_MAX) this.#writeChanged()
  }

  /** Writes what waits; the checksum of the whole. */
  finish(): Checksum {
    this.#writeChanged()
    const [header, checksums] = [this.#header, this.#checksums]
    if (header === undefined || checksums === undefined)
      throw new MacaroondError('archive_damaged', 'the database is empty')
    try {
      ftruncateSync(this.#fd, header.commit * header.pageSize)
    } catch (error) {
      throw storageError(error, 'writing the restored database')
    }
    return checksums.checksum
  }

  close(): void {
    closeSync(this.#fd)
  }

  #writeRun(pageSize: number): void {
    writeAt(this.#fd, this.#run, 0, this.#runBytes, (this.#runFirst - 1) * pageSize)
    this.#runBytes = 0
  }

  #writeChanged(): void {
    const [header, checksums] = [this.#header, this.#checksums]
    if (header === undefined || checksums === undefined) return
    const lock = lockPage(header.pageSize)
    const pages = [...this.#waiting]
      .map(([pgno, data]) => ({ pgno, data }))
      .filter(({ pgno }) => pgno !== lock)
      .toSorted((a, b) => a.pgno - b.pgno)
    checksums.apply(checksums.preview(pages, header.commit))
    for (const { pgno, data } of pages) writeAt(this.#fd, data, 0, data.length, (pgno - 1) * header.pageSize)
    this.#waiting.clear()
  }
}
