/** Runs an action at once, and what is asked for in the pause after that once, at its end: who comes alone never waits. */
export class Paced {
  readonly #action: () => void
  readonly #pauseMs: number
  #pause: NodeJS.Timeout | undefined
  #due = false

  constructor(action: () => void, pauseMs: number) {
    this.#action = action
    this.#pauseMs = pauseMs
  }

  ask(): void {
    this.#due = true
    if (this.#pause === undefined) this.#run()
  }

  close(): void {
    clearTimeout(this.#pause)
    this.#due = false
  }

  #run(): void {
    this.#pause = undefined
    if (!this.#due) return
    this.#due = false
    this.#pause = setTimeout(() => this.#run(), this.#pauseMs).unref()
    this.#action()
  }
}
