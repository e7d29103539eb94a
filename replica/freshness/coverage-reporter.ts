/** Reports to the primary, on one connection, the last revocation that covers this replica and all its workers. */
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
  #toReport: Mark | undefined
  #waiting = false

  constructor(options: CoverageReporterOptions) {
    this.#options = options
  }

  /** To be called when this replica has acknowledged everything up to the mark. It waits for the workers, then reports. */
  acknowledged(mark: Mark): void {
    this.#toReport = mark
    if (!this.#waiting) void this.#report()
  }

  /** Waits for marks and reports them. An abort of the signal ends it. */
  async #report(): Promise<void> {
    const { book, send, signal } = this.#options
    this.#waiting = true
    while (this.#toReport !== undefined) {
      const mark = this.#toReport
      this.#toReport = undefined
      await book.covered(mark, signal)
      if (!signal.aborted) send(mark.seq)
    }
    this.#waiting = false
  }
}
