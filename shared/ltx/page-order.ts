/**
 * The rules for the pages of a segment, for writer and reader: they ascend, they are inside the database, none is the lock
 * page, and a snapshot has every page.
 */
import { lockPage } from './database-pages.ts'
import { type SegmentFields, isSnapshot } from './header.ts'

export class PageOrder {
  readonly #commit: number
  readonly #lockPage: number
  readonly #snapshot: boolean
  #last = 0

  constructor(fields: SegmentFields) {
    this.#commit = fields.commit
    this.#lockPage = lockPage(fields.pageSize)
    this.#snapshot = isSnapshot(fields)
  }

  /** Takes the next page, or returns the rule it breaks, in words. */
  take(pgno: number): string | undefined {
    if (pgno > this.#commit) return `page ${pgno} of a database of ${this.#commit} pages`
    if (pgno === this.#lockPage) return `page ${pgno} is the lock page`
    if (pgno <= this.#last) return `page ${pgno} after page ${this.#last}`
    if (this.#snapshot && pgno !== this.#next()) return `page ${pgno} of a snapshot where ${this.#next()} is due`
    this.#last = pgno
    return undefined
  }

  /** Call after the last page. Returns what is missing, in words, or undefined. */
  end(): string | undefined {
    if (!this.#snapshot || this.#next() > this.#commit) return undefined
    return `a snapshot of ${this.#commit} pages without page ${this.#next()}`
  }

  #next(): number {
    return this.#last + 1 === this.#lockPage ? this.#last + 2 : this.#last + 1
  }
}
