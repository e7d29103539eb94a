/** Tells the primary, on one connection, what the workers behind this replica are covered for: after the replica itself. */
import type { GrantBook } from '../../shared/freshness/grant-book.ts'
import type { Mark } from '../../shared/freshness/mark.ts'

export interface CoverageReporterOptions {
  readonly book: Pick<GrantBook, 'covered'>
  readonly send: (seq: number) => void
  /** The end of the connection. */
  readonly signal: AbortSignal
}

export class CoverageReporter {
  readonly #options: CoverageReporterOptions
  #owed: Mark | undefined
  #waiting = false

  constructor(options: CoverageReporterOptions) {
    this.#options = options
  }

  /** This replica has acknowledged everything up to the mark: its workers are next. */
  acknowledged(mark: Mark): void {
    this.#owed = mark
    if (!this.#waiting) void this.#report()
  }

  /** Ends with the connection: what is waited for then never comes. */
  async #report(): Promise<void> {
    const { book, send, signal } = this.#options
    this.#waiting = true
    while (this.#owed !== undefined) {
      const mark = this.#owed
      this.#owed = undefined
      await book.covered(mark, signal)
      if (!signal.aborted) send(mark.seq)
    }
    this.#waiting = false
  }
}
