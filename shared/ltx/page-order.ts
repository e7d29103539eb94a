import { lockPage } from './database-pages.ts'
import { type SegmentFields, isSnapshot } from './header.ts'

/**
 * Which pages a segment may hold, one list of rules for writer and reader: ascending, inside the database, never the
 * lock page; a snapshot holds every page there is.
 */
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

  /** Takes the next page, or says in words why it cannot come here. */
  take(pgno: number): string | undefined {
    if (pgno > this.#commit) return `page ${pgno} of a database of ${this.#commit} pages`
    if (pgno === this.#lockPage) return `page ${pgno} is the lock page`
    if (pgno <= this.#last) return `page ${pgno} after page ${this.#last}`
    if (this.#snapshot && pgno !== this.#next()) return `page ${pgno} of a snapshot where ${this.#next()} is due`
    this.#last = pgno
    return undefined
  }

  /** Says in words what is missing when no more pages come. */
  end(): string | undefined {
    if (!this.#snapshot || this.#next() > this.#commit) return undefined
    return `a snapshot of ${this.#commit} pages without page ${this.#next()}`
  }

  #next(): number {
    return this.#last + 1 === this.#lockPage ? this.#last + 2 : this.#last + 1
  }
}
