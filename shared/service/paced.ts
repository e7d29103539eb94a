/** Limits how often an action runs. */
import { systemClock, type CallOff, type Timers } from '../clock.ts'

/** Runs an action at once, then pauses. All requests during the pause cause one run at its end. A lone request never waits. */
export class Paced {
  readonly #action: () => void
  readonly #pauseMs: number
  readonly #timers: Pick<Timers, 'after'>
  #pause: CallOff | undefined
  #due = false

  constructor(action: () => void, pauseMs: number, timers: Pick<Timers, 'after'> = systemClock) {
    this.#timers = timers
    this.#action = action
    this.#pauseMs = pauseMs
  }

  request(): void {
    this.#due = true
    if (this.#pause === undefined) this.#run()
  }

  close(): void {
    this.#pause?.()
    this.#due = false
  }

  #run(): void {
    this.#pause = undefined
    if (!this.#due) return
    this.#due = false
    this.#pause = this.#timers.after(this.#pauseMs, () => this.#run(), { background: true })
    this.#action()
  }
}
