/** Time and entropy as parameters: cores get values, shells get these, the simulator gives its own. */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'

export interface Clock {
  /** Wall clock, unix milliseconds. */
  readonly wallMs: () => number
  /** Monotonic milliseconds since some moment of this process (CLOCK_MONOTONIC). */
  readonly monotonicMs: () => number
}

export interface Entropy {
  /** `count` bytes nobody can foretell. */
  readonly bytes: (count: number) => Buffer
  /** Uniform in [0, 1), for jitter only. */
  readonly uniform: () => number
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

export const systemEntropy: Entropy = {
  bytes: (count) => randomBytes(count),
  uniform: () => Math.random(),
}
