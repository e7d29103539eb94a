/**
 * Builds a database file from a complete set of pages, for the first snapshot on an empty replica and for a restore.
 * The file gets its name only when it is complete and durable, so a crash leaves no half database.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { MacaroondError } from '../errors.ts'
import { PAGE_BYTES } from '../limits.ts'
import { databasePath } from './open-database.ts'
import { syncDirectory, writeAt } from '../files/positional-io.ts'
import { storageError } from '../files/storage-errors.ts'
import type { PageImage } from './wal-format.ts'
import { LOCK_PAGE } from './wal-format.ts'

const MAGIC: Buffer = Buffer.from('SQLite format 3\0', 'latin1')
const PAGE_SIZE_AT = MAGIC.length
const WRITE_VERSION_AT: number = PAGE_SIZE_AT + 2
/** Read and write version of a database in WAL mode (https://sqlite.org/fileformat2.html section 1.3.3). */
const WAL_MODE = 2
const RUN_PAGES = 256

/** Takes the pages in ascending order and without gaps. The lock page is skipped, because no snapshot contains it. */
export class DatabaseBuilder {
  readonly #path: string
  readonly #partial: string
  readonly #fd: number
  #open = true
  readonly #pageCount: number
  readonly #run: Buffer = Buffer.alloc(RUN_PAGES * PAGE_BYTES)
  /** Number of pages in `#run` that are not written yet. */
  #waiting = 0
  #next = 1

  /**
   * Throws database_exists if the name, or its -wal, -shm or -journal, is taken: SQLite would replay an old -wal into the new
   * file.
   */
  constructor(path: string, pageCount: number) {
    this.#path = databasePath(path)
    this.#partial = `${this.#path}.partial`
    this.#pageCount = pageCount
    for (const suffix of ['', '-wal', '-shm', '-journal']) refuseExisting(`${this.#path}${suffix}`)
    try {
      this.#fd = openSync(this.#partial, 'w', 0o600)
    } catch (error) {
      throw storageError(error, `creating ${this.#partial}`)
    }
  }

  write(page: PageImage): void {
    if (page.pgno === 1) requireWalDatabase(page.data)
    if (page.pgno !== this.#next || page.pgno > this.#pageCount || page.data.length !== PAGE_BYTES) {
      throw incomplete(`page ${page.pgno} came instead of page ${this.#next} of ${this.#pageCount}`)
    }
    this.#run.set(page.data, this.#waiting * PAGE_BYTES)
    this.#waiting += 1
    this.#next += 1
    if (this.#waiting === RUN_PAGES || this.#next === LOCK_PAGE) this.#flush()
    if (this.#next === LOCK_PAGE) this.#next += 1
  }

  /**
   * Syncs the file and gives it its name. No other method may be called afterwards. Throws segment_corrupt if pages are
   * missing.
   */
  finish(): void {
    if (this.#next <= this.#pageCount) throw incomplete(`it ends before page ${this.#next} of ${this.#pageCount}`)
    this.#flush()
    try {
      fsyncSync(this.#fd)
      this.#close()
      refuseExisting(this.#path)
      renameSync(this.#partial, this.#path)
    } catch (error) {
      throw storageError(error, `creating ${this.#path}`)
    }
    syncDirectory(dirname(this.#path))
  }

  /** Deletes the partial file. */
  abort(): void {
    this.#close()
    rmSync(this.#partial, { force: true })
  }

  #close(): void {
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }

  #flush(): void {
    const first = this.#next - this.#waiting
    writeAt(this.#fd, this.#run, 0, this.#waiting * PAGE_BYTES, (first - 1) * PAGE_BYTES)
    this.#waiting = 0
  }
}

/** Runs a `DatabaseBuilder` over all pages; deletes the partial file if a page is refused. */
export function createDatabase(path: string, pageCount: number, pages: Iterable<PageImage>): void {
  const builder = new DatabaseBuilder(path, pageCount)
  try {
    for (const page of pages) builder.write(page)
    builder.finish()
  } catch (error) {
    builder.abort()
    throw error
  }
}

function requireWalDatabase(page: Uint8Array): void {
  const header = Buffer.from(page.buffer, page.byteOffset, page.byteLength)
  const sound =
    header.length === PAGE_BYTES &&
    header.subarray(0, MAGIC.length).equals(MAGIC) &&
    header.readUInt16BE(PAGE_SIZE_AT) === PAGE_BYTES &&
    header[WRITE_VERSION_AT] === WAL_MODE &&
    header[WRITE_VERSION_AT + 1] === WAL_MODE
  if (!sound) throw incomplete('page 1 is not the header of a WAL database')
}

function refuseExisting(path: string): void {
  if (!existsSync(path)) return
  throw new MacaroondError('database_exists', `${path} exists`, {
    hint: 'a snapshot never overwrites: move the old database with its -wal and -shm away, or name another path',
  })
}

function incomplete(what: string): MacaroondError {
  return new MacaroondError('segment_corrupt', `not a complete snapshot: ${what}`, {
    hint: 'fetch the snapshot again',
  })
}
