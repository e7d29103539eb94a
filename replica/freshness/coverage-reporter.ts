/** Reports to the primary, on one connection, up to which revocation this replica and all its workers are covered. */
import type { GrantBook } from '../../shared/freshness/grant-book.ts'
import type { Mark } from '../../shared/freshness/mark.ts'

export interface CoverageReporterOptions {
  readonly book: Pick<GrantBook, 'covered'>
  readonly send: (seq: number) => void
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal
}

export class CoverageReporter {
  readonly #options: CoverageReporterOptions
  #owed: Mark | undefined
  #waiting = false

  constructor(options: CoverageReporterOptions) {
    this.#options = options
  }

  /** This replica has acknowledged everything up to the mark. Waits for its workers, then reports. */
  acknowledged(mark: Mark): void {
    this.#owed = mark
    if (!this.#waiting) void this.#report()
  }

  /** Waits for marks and reports them. An abort of the signal ends it. */
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
