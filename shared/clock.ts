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

/** Calls something later; what `after` and `every` return calls it off. */
export interface Timers {
  readonly after: (ms: number, call: () => void, how?: TimerOptions) => CallOff
  readonly every: (ms: number, call: () => void, how?: TimerOptions) => CallOff
  /** In the next turn of the event loop: what has come from outside meanwhile goes first. */
  readonly soon: (call: () => void) => void
}

export interface TimerOptions {
  /** True where waiting for it must not keep the process alive. */
  readonly background?: boolean
}

export type CallOff = () => void

/** All that a node knows of time. */
export interface NodeClock extends LeaseClock, Timers {}

export interface Entropy {
  /** `count` bytes nobody can foretell. */
  readonly bytes: (count: number) => Buffer
  /** Uniform in [0, 1), for jitter only. */
  readonly uniform: () => number
}

export const systemClock: NodeClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  boottimeMs: () => uptime() * 1000,
  after: (ms, call, how) => {
    const timer = setTimeout(call, ms)
    if (how?.background === true) timer.unref()
    return () => clearTimeout(timer)
  },
  every: (ms, call, how) => {
    const timer = setInterval(call, ms)
    if (how?.background === true) timer.unref()
    return () => clearInterval(timer)
  },
  soon: (call) => void setImmediate(call),
}

/** The same clock, but for the time of day. */
export function withWallTime(clock: NodeClock, wallMs: () => number): NodeClock {
  return {
    wallMs,
    monotonicMs: () => clock.monotonicMs(),
    boottimeMs: () => clock.boottimeMs(),
    after: (ms, call, how) => clock.after(ms, call, how),
    every: (ms, call, how) => clock.every(ms, call, how),
    soon: (call) => clock.soon(call),
  }
}

export const systemEntropy: Entropy = {
  bytes: (count) => randomBytes(count),
  uniform: () => Math.random(),
}

/** Resolves after that time. */
export function pause({ after }: Pick<Timers, 'after'>, ms: number): Promise<void> {
  return new Promise((resolve) => void after(ms, resolve))
}

/** Resolves in the next turn of the event loop. */
export function turn({ soon }: Pick<Timers, 'soon'>): Promise<void> {
  return new Promise((resolve) => soon(resolve))
}
