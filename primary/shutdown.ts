/**
 * The state of a primary's shutdown: orderly on request, or at once after an error that forbids any further write. It stops no
 * part itself: other parts read this state.
 */
export class Shutdown {
  /** Resolves with the error that stopped this primary at once. */
  readonly failed: Promise<unknown>
  readonly #fail: (error: unknown) => void
  #begun = false

  constructor() {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.failed = promise
    this.#fail = resolve
  }

  /** True once the shutdown has begun: no write is taken. */
  get begun(): boolean {
    return this.#begun
  }

  begin(): void {
    this.#begun = true
  }

  /** Ends the process as a crash would: nothing more is written or cleaned up, and the next start recovers. */
  readonly crash = (error: unknown): void => {
    this.begin()
    this.#fail(error)
  }
}
