/** A database file that is put together page by page, and knows the checksum of what it holds. */
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

  /** What a transaction wrote. `commit`: size of the database after it, in pages. Throws disk_full, io_failed. */
  write(pages: readonly DatabasePage[], commit: number): void {
    try {
      for (const { pgno, data } of pages) writeAt(this.#fd, data, 0, PAGE_BYTES, (pgno - 1) * PAGE_BYTES)
      ftruncateSync(this.#fd, commit * PAGE_BYTES)
    } catch (error) {
      throw storageError(error, `writing ${this.path}`)
    }
  }

  /** Pages as they are; those beyond the end are left out. */
  read(pgnos: readonly number[]): readonly DatabasePage[] {
    return pgnos.filter((pgno) => pgno <= this.pageCount).map((pgno) => ({ pgno, data: this.#page(pgno) }))
  }

  get pageCount(): number {
    return Math.floor(fstatSync(this.#fd).size / PAGE_BYTES)
  }

  checksum(): Checksum {
    const checksums = new PageChecksums(PAGE_BYTES)
    for (let pgno = 1; pgno <= this.pageCount; pgno += 1) checksums.set(pgno, this.#page(pgno))
    return checksums.checksum
  }

  /** Not while SQLite has it open: its locks would go with the descriptor. */
  close(): void {
    closeSync(this.#fd)
  }

  #page(pgno: number): Buffer {
    const page = Buffer.alloc(PAGE_BYTES)
    readAt(this.#fd, page, 0, PAGE_BYTES, (pgno - 1) * PAGE_BYTES)
    return page
  }
}
