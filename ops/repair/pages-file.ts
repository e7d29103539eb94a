/**
 * A database file that a repair writes page by page, and whose checksum it computes. SQLite must not have it open: it caches
 * pages and would not see these writes.
 */
import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs'
import type { Checksum } from '../../shared/ids.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import type { DatabasePage } from '../../shared/ltx/database-pages.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import { readAt, writeAt } from '../../shared/files/positional-io.ts'
import { storageError } from '../../shared/files/storage-errors.ts'

export class PagesFile {
  readonly path: string
  readonly #fd: number

  /** Throws io_failed. */
  constructor(path: string) {
    this.path = path
    try {
      this.#fd = openSync(path, 'r+')
    } catch (error) {
      throw storageError(error, `opening ${path}`)
    }
  }

  /** Writes the pages of a transaction. `commit` is the database size after it, in pages. Throws disk_full, io_failed. */
  write(pages: readonly DatabasePage[], commit: number): void {
    try {
      for (const { pgno, data } of pages) writeAt(this.#fd, data, 0, PAGE_BYTES, (pgno - 1) * PAGE_BYTES)
      ftruncateSync(this.#fd, commit * PAGE_BYTES)
    } catch (error) {
      throw storageError(error, `writing ${this.path}`)
    }
  }

  /** The current images of these pages. Pages beyond the end of the file are left out. */
  read(pgnos: readonly number[]): readonly DatabasePage[] {
    return pgnos.filter((pgno) => pgno <= this.pageCount).map((pgno) => ({ pgno, data: this.#page(pgno) }))
  }

  get pageCount(): number {
    return Math.floor(fstatSync(this.#fd).size / PAGE_BYTES)
  }

  /** The rolling checksum of the whole file, computed from its bytes and not from what was written. */
  checksum(): Checksum {
    const checksums = new PageChecksums(PAGE_BYTES)
    for (let pgno = 1; pgno <= this.pageCount; pgno += 1) checksums.set(pgno, this.#page(pgno))
    return checksums.checksum
  }

  /** Must not be called while SQLite has the file open: closing a descriptor drops SQLite's POSIX locks on the file. */
  close(): void {
    closeSync(this.#fd)
  }

  #page(pgno: number): Buffer {
    const page = Buffer.alloc(PAGE_BYTES)
    readAt(this.#fd, page, 0, PAGE_BYTES, (pgno - 1) * PAGE_BYTES)
    return page
  }
}
