/**
 * Reads the three clocks at low cost. Boottime needs a system call, so it is sampled ten times a second, and whenever the wall
 * clock and the monotonic clock have moved apart, which they do if the machine slept. In between, boottime is extrapolated with
 * the monotonic clock.
 */
import type { CallOff, LeaseClock, Timers } from '../clock.ts'
import type { ClockReading } from './clock-reading.ts'

const SAMPLE_MS = 100
/** Boottime comes in steps of 10 ms, so a difference of less than two steps is not sleep. */
const NOISE_MS = 20
/** Between two samples, wall and monotonic clock move apart by this much only if one was set or the machine slept. */
const MOVED_MS = 50

export class ClockReader {
  readonly #clock: LeaseClock
  readonly #stop: CallOff
  /** Boottime minus monotonic clock, and wall clock minus monotonic clock, at the last sample. */
  #sleptMs: number
  #wallMs: number

  constructor(clock: LeaseClock & Timers) {
    this.#clock = clock
    const monotonicMs = clock.monotonicMs()
    this.#sleptMs = clock.boottimeMs() - monotonicMs
    this.#wallMs = clock.wallMs() - monotonicMs
    const sample = (): void => this.#sample(clock.monotonicMs(), clock.wallMs())
    this.#stop = clock.every(SAMPLE_MS, sample, { background: true })
  }

  read(): ClockReading {
    const monotonicMs = this.#clock.monotonicMs()
    const wallMs = this.#clock.wallMs()
    if (Math.abs(wallMs - monotonicMs - this.#wallMs) > MOVED_MS) this.#sample(monotonicMs, wallMs)
    return { monotonicMs, boottimeMs: monotonicMs + this.#sleptMs, wallMs }
  }

  close(): void {
    this.#stop()
  }

  #sample(monotonicMs: number, wallMs: number): void {
    const sleptMs = this.#clock.boottimeMs() - monotonicMs
    if (Math.abs(sleptMs - this.#sleptMs) > NOISE_MS) this.#sleptMs = sleptMs
    this.#wallMs = wallMs - monotonicMs
  }
}
