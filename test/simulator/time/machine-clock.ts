/** The three clocks of one machine, which share a crystal: it runs a little fast or slow, sleeps, and has its date changed. */

export interface MachineClockOptions {
  /** True time. */
  readonly nowMs: () => number
  /** What the crystal makes of a second: 1 is true. */
  readonly rate: number
  /** Unix milliseconds at true time 0. */
  readonly epochMs: number
  /** How long the machine has been up at true time 0. */
  readonly upMs: number
}

export class MachineClock {
  readonly #options: MachineClockOptions
  #bootedMs: number
  /** Sleep that is over, and the last one. */
  #sleptMs = 0
  #nap = { fromMs: 0, untilMs: 0 }
  #movedMs = 0

  constructor(options: MachineClockOptions) {
    this.#options = options
    this.#bootedMs = -options.upMs
  }

  /** CLOCK_MONOTONIC: stands still while the machine sleeps. */
  monotonicMs(): number {
    const { nowMs, rate } = this.#options
    return rate * (nowMs() - this.#bootedMs - this.#asleepMs(nowMs()))
  }

  /** CLOCK_BOOTTIME: goes on. Node's `os.uptime` has steps of 10 ms. */
  boottimeMs(): number {
    const { nowMs, rate } = this.#options
    return Math.floor((rate * (nowMs() - this.#bootedMs)) / 10) * 10
  }

  wallMs(): number {
    const { nowMs, rate, epochMs } = this.#options
    return Math.floor(epochMs + rate * nowMs() + this.#movedMs)
  }

  /** The true moment at which the monotonic clock shows this, unless the machine sleeps before. */
  trueMs(monotonicMs: number): number {
    return monotonicMs / this.#options.rate + this.#bootedMs + this.#asleepMs(Infinity)
  }

  /** From the true date, in milliseconds. */
  move(byMs: number): void {
    this.#movedMs = byMs
  }

  sleep(untilMs: number): void {
    const nowMs = this.#options.nowMs()
    if (nowMs < this.#nap.untilMs) {
      this.#nap = { fromMs: this.#nap.fromMs, untilMs: Math.max(this.#nap.untilMs, untilMs) }
      return
    }
    this.#sleptMs = this.#asleepMs(nowMs)
    this.#nap = { fromMs: nowMs, untilMs }
  }

  reboot(): void {
    this.#bootedMs = this.#options.nowMs()
    this.#sleptMs = 0
    this.#nap = { fromMs: 0, untilMs: 0 }
  }

  #asleepMs(nowMs: number): number {
    const { fromMs, untilMs } = this.#nap
    return this.#sleptMs + Math.max(0, Math.min(nowMs, untilMs) - fromMs)
  }
}
