/**
 * Writes the primary's transactions as frames into a replica's -wal. Readers see the frames only after `WalAppender` published
 * them in the wal-index. `WalAppender` also holds the write lock.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Entropy } from '../clock.ts'
import { assert } from '../errors.ts'
import { PAGE_BYTES, WAL_APPEND_FRAMES } from '../limits.ts'
import { syncDirectory, syncFile, writeAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import type { RunningChecksum } from './wal-checksum.ts'
import { HOST_BIG_ENDIAN } from './wal-checksum.ts'
import type { PageImage, WalHeader } from './wal-format.ts'
import { FRAME_BYTES, FrameBuffer, WAL_HEADER_BYTES, frameOffset, writeWalHeader } from './wal-format.ts'

/**
 * The effect of one transaction: whole images of the pages it changed, in any order, and the database size after it, in pages.
 */
export interface PageChange {
  readonly pages: Iterable<PageImage>
  readonly commitPages: number
}

/** The end of a log that new frames continue: its header, and its checksum up to `lastFrame`. Writing updates the checksum. */
export interface LogEnd {
  readonly header: WalHeader
  readonly sum: RunningChecksum
  readonly lastFrame: number
}

export class WalWriter {
  readonly #path: string
  /** Open until `close`. */
  readonly #fd: number
  readonly #frames: FrameBuffer = new FrameBuffer(WAL_APPEND_FRAMES)
  readonly #headerBytes: Buffer = Buffer.alloc(WAL_HEADER_BYTES)
  /** True if the directory was synced: SQLite created the file, so its name is durable only after our first sync. */
  #nameSynced = false

  constructor(database: string) {
    this.#path = `${database}-wal`
    try {
      this.#fd = openSync(this.#path, 'r+')
    } catch (error) {
      throw storageError(error, `opening ${this.#path}`)
    }
  }

  /** Size of the file. */
  get bytes(): number {
    return fstatSync(this.#fd).size
  }

  /** Starts the log over with new random salts, so that no frame left in the file is valid. */
  start(entropy: Entropy): LogEnd {
    const salts = entropy.bytes(8)
    const header: WalHeader = {
      bigEndian: HOST_BIG_ENDIAN,
      pageBytes: PAGE_BYTES,
      sequence: 0,
      salt1: salts.readUInt32BE(0),
      salt2: salts.readUInt32BE(4),
    }
    const sum = writeWalHeader(this.#headerBytes, header)
    writeAt(this.#fd, this.#headerBytes, 0, WAL_HEADER_BYTES, 0)
    return { header, sum, lastFrame: 0 }
  }

  /**
   * Writes the frames of one transaction in runs of `WAL_APPEND_FRAMES`, which bounds memory. Returns their page numbers.
   * Only the last frame has the commit size, so a crash before it leaves no valid transaction.
   */
  append(end: LogEnd, change: PageChange): number[] {
    const runs = this.runs(end, change)
    for (;;) {
      const run = runs.next()
      if (run.done === true) return run.value
    }
  }

  /** Like `append`, one run at a time, so that the caller can do other work in between. */
  *runs(end: LogEnd, change: PageChange): Generator<void, number[]> {
    const pageNumbers: number[] = []
    let waiting: PageImage | undefined
    let filled = 0
    const add = (page: PageImage, commitPages: number): void => {
      this.#frames.write(filled, page, commitPages, end.header, end.sum)
      pageNumbers.push(page.pgno)
      filled += 1
      if (filled < this.#frames.capacity && commitPages === 0) return
      this.#flush(filled, end.lastFrame + pageNumbers.length - filled + 1)
      filled = 0
    }
    for (const page of change.pages) {
      requirePage(page, change.commitPages)
      if (waiting !== undefined) add(waiting, 0)
      waiting = page
      if (pageNumbers.length > 0 && filled === 0) yield
    }
    assert(waiting !== undefined, 'a transaction has at least one page')
    add(waiting, change.commitPages)
    return pageNumbers
  }

  sync(): void {
    syncFile(this.#fd, this.#path)
    if (this.#nameSynced) return
    syncDirectory(dirname(this.#path))
    this.#nameSynced = true
  }

  close(): void {
    closeSync(this.#fd)
  }

  #flush(count: number, firstFrame: number): void {
    writeAt(this.#fd, this.#frames.bytes, 0, count * FRAME_BYTES, frameOffset(firstFrame))
  }
}

function requirePage({ pgno, data }: PageImage, commitPages: number): void {
  const fits = pgno >= 1 && pgno <= commitPages && data.length === PAGE_BYTES
  assert(fits, `page ${pgno} of ${data.length} bytes belongs to a database of ${commitPages} pages`)
}
