/**
 * Reads all three clocks for little: the boottime costs a system call, so it is asked for ten times a second, and whenever
 * the wall clock and the monotonic one have moved apart, as they do when a machine has slept; in between it goes on with the
 * monotonic clock.
 */
import type { CallOff, LeaseClock, Timers } from '../clock.ts'
import type { ClockReading } from './clock-reading.ts'

const SAMPLE_MS = 100
/** Boottime comes in steps of 10 ms: less than two of them is not sleep. */
const NOISE_MS = 20
/** Wall and monotonic clock never run apart by this much between two samples, unless one of them was moved. */
const MOVED_MS = 50

export class ClockReader {
  readonly #clock: LeaseClock
  readonly #stop: CallOff
  /** Boottime and wall clock less the monotonic clock, as sampled. */
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
