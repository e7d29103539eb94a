/**
 * The database file that a rebuild writes. First it writes the pages of the whole database in runs, as they stream in. Then it
 * merges the changes in memory, up to a limit, so that each page is written about once. A later image of a page replaces the
 * earlier one while both are packed, so only pages that are written are unpacked.
 */
import { closeSync, ftruncateSync, openSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { MacaroondError } from '../errors.ts'
import type { Checksum } from '../ids.ts'
import { MERGE_BYTES_MAX } from '../limits.ts'
import { lockPage } from '../ltx/database-pages.ts'
import type { PageBuffer, PageSink } from '../ltx/decoder.ts'
import { blockBytesMax, decompressBlock } from '../ltx/lz4.ts'
import type { ArchivedFile } from './layout.ts'
import { damaged } from './read-file.ts'
import type { SegmentHeader } from '../ltx/header.ts'
import { PageChecksums } from '../ltx/rolling-checksum.ts'
import { writeAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'

const RUN_BYTES: number = 1024 * 1024
/** Number of runs that the thread pool writes while the next one is unpacked. */
const RUNS_AT_ONCE = 2

/**
 * A changed page that is not written yet: its LZ4 block, in a buffer of the largest possible size, and the file it comes from.
 */
interface ChangedPage {
  readonly buffer: Buffer
  length: number
  file: ArchivedFile
}

export class RebuiltFile {
  readonly #fd: number
  /** Consecutive pages of the whole database that are not written yet. */
  #run: Buffer = Buffer.allocUnsafeSlow(RUN_BYTES)
  readonly #spareRuns: Buffer[] = []
  readonly #writes = new Set<Promise<void>>()
  #failure: unknown
  #runFirst = 1
  #runBytes = 0
  readonly #changedPages = new Map<number, ChangedPage>()
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

  readonly wholePageBuffer: PageBuffer = (pgno, pageSize) => {
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

  /**
   * Resolves once the file can take more pages of the whole database. Throws disk_full or io_failed if an earlier write failed.
   */
  async ready(writesMax: number = RUNS_AT_ONCE - 1): Promise<void> {
    while (this.#writes.size > writesMax) await Promise.race(this.#writes)
    if (this.#failure !== undefined) throw storageError(this.#failure, 'writing the restored database')
  }

  /** Call after the whole database, once its file is verified. */
  async endWhole(header: SegmentHeader): Promise<void> {
    this.#writeRun(header.pageSize)
    this.#header = header
    await this.ready(0)
  }

  onChanged(pgno: number, block: Buffer, file: ArchivedFile): void {
    const before = this.#changedPages.get(pgno)
    const buffer = before !== undefined && before.buffer.length >= block.length ? before.buffer : this.#bufferFor(block)
    block.copy(buffer)
    if (before?.buffer !== buffer) this.#changedPages.set(pgno, { buffer, length: block.length, file })
    else [before.length, before.file] = [block.length, file]
  }

  /** Call after each file of changes, once it is verified. */
  endChanges(header: SegmentHeader): void {
    const shrank = header.commit < (this.#header?.commit ?? 0)
    if (shrank) for (const pgno of this.#changedPages.keys()) if (pgno > header.commit) this.#changedPages.delete(pgno)
    this.#header = header
    if (this.#changedPages.size * header.pageSize > MERGE_BYTES_MAX) this.#writeChanged()
  }

  /** Writes the remaining changes, and returns the checksum of the database. */
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

  /** Waits for the last write before it closes the descriptor, whose number the process may reuse for another file. */
  async close(): Promise<void> {
    await Promise.all(this.#writes)
    closeSync(this.#fd)
  }

  #bufferFor(block: Buffer): Buffer {
    return Buffer.allocUnsafeSlow(Math.max(block.length, blockBytesMax(this.#header?.pageSize ?? 0)))
  }

  #writeRun(pageSize: number): void {
    const run = this.#run
    const writing = writeRun(this.#fd, run.subarray(0, this.#runBytes), (this.#runFirst - 1) * pageSize)
      .then(() => void this.#spareRuns.push(run))
      .catch((error: unknown) => void (this.#failure ??= error))
      .finally(() => void this.#writes.delete(writing))
    this.#writes.add(writing)
    this.#run = this.#spareRuns.pop() ?? Buffer.allocUnsafeSlow(RUN_BYTES)
    this.#runBytes = 0
  }

  #writeChanged(): void {
    const [header, checksums] = [this.#header, this.#checksums]
    if (header === undefined || checksums === undefined) return
    const lock = lockPage(header.pageSize)
    const pages = [...this.#changedPages]
      .filter(([pgno]) => pgno !== lock)
      .map(([pgno, waiting]) => ({ pgno, data: unpack(pgno, waiting, header.pageSize) }))
      .toSorted((a, b) => a.pgno - b.pgno)
    checksums.apply(checksums.preview(pages, header.commit))
    for (const { pgno, data } of pages) writeAt(this.#fd, data, 0, data.length, (pgno - 1) * header.pageSize)
    this.#changedPages.clear()
  }
}

const writePart = promisify(write)

/** Writes until everything is written: on a full disk a write may be partial, and only the next one fails with ENOSPC. */
async function writeRun(fd: number, run: Buffer, position: number): Promise<void> {
  for (let done = 0; done < run.length;) {
    const { bytesWritten } = await writePart(fd, run, done, run.length - done, position + done)
    done += bytesWritten
  }
}

function unpack(pgno: number, { buffer, length, file }: ChangedPage, pageSize: number): Buffer {
  // Uninitialised memory is safe: unpacking writes every byte or refuses the page.
  const page = Buffer.allocUnsafeSlow(pageSize)
  if (decompressBlock(buffer.subarray(0, length), page)) return page
  throw damaged(file, `page ${pgno} is not an LZ4 block of ${pageSize} bytes`)
}
