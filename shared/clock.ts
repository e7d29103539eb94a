/** Time and entropy as parameters: cores get values, shells get these, the simulator gives its own. */
import { randomBytes } from 'node:crypto'
import { uptime } from 'node:os'
import { performance } from 'node:perf_hooks'

export interface Clock {
  /** Wall clock, unix milliseconds. */
  readonly wallMs: () => number
  /** Monotonic milliseconds since some moment of this process (CLOCK_MONOTONIC). */
  readonly monotonicMs: () => number
}

/** What leases are measured with: a clock that goes on while the machine sleeps as well. */
export interface LeaseClock extends Clock {
  /** Milliseconds since the machine started, its sleep counted (CLOCK_BOOTTIME), in steps of 10 ms. Costs a system call. */
  readonly boottimeMs: () => number
}

export interface Entropy {
  /** `count` bytes nobody can foretell. */
  readonly bytes: (count: number) => Buffer
  /** Uniform in [0, 1), for jitter only. */
  readonly uniform: () => number
}

export const systemClock: LeaseClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  boottimeMs: () => uptime() * 1000,
}

export const systemEntropy: Entropy = {
  bytes: (count) => randomBytes(count),
  uniform: () => Math.random(),
}
