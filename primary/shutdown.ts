/** How a primary ends: in order when it is asked to, at once after an error that nothing may be written after. */
export class Shutdown {
  /** Resolves with the error that ended this primary at once. */
  readonly failed: Promise<unknown>
  readonly #fail: (error: unknown) => void
  #begun = false

  constructor() {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.failed = promise
    this.#fail = resolve
  }

  /** From then on no write is taken. */
  get begun(): boolean {
    return this.#begun
  }

  begin(): void {
    this.#begun = true
  }

  /** Nothing is written after this, and nothing is tidied up: the process ends as in a crash. */
  readonly atOnce = (error: unknown): void => {
    this.begin()
    this.#fail(error)
  }
}
