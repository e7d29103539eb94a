/**
 * Time and entropy as parameters, and the system's implementations of both. Cores receive plain values, shells receive these
 * interfaces, and the simulator passes its own.
 */
import { randomBytes } from 'node:crypto'
import { uptime } from 'node:os'
import { performance } from 'node:perf_hooks'

export interface Clock {
  /** Wall clock, unix milliseconds. */
  readonly wallMs: () => number
  /** Monotonic milliseconds since an arbitrary time in this process (CLOCK_MONOTONIC). */
  readonly monotonicMs: () => number
}

/** Leases are measured with this clock, because it also counts while the machine sleeps. */
export interface LeaseClock extends Clock {
  /** Milliseconds since the machine started, including sleep (CLOCK_BOOTTIME), in steps of 10 ms. Costs a system call. */
  readonly boottimeMs: () => number
}

/** Schedules calls. `after` and `every` return the function that cancels the call. */
export interface Timers {
  readonly after: (ms: number, call: () => void, how?: TimerOptions) => CallOff
  readonly every: (ms: number, call: () => void, how?: TimerOptions) => CallOff
  /** Calls in the next turn of the event loop, after the input that has arrived meanwhile. */
  readonly soon: (call: () => void) => void
}

export interface TimerOptions {
  /** True if a pending call must not keep the process alive. */
  readonly background?: boolean
}

export type CallOff = () => void

/** Every source of time that a node uses. */
export interface NodeClock extends LeaseClock, Timers {}

export interface Entropy {
  /** `count` unpredictable bytes. */
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

/** A clock like `clock`, except that its time of day comes from `wallMs`. */
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

/** Resolves after `ms` milliseconds. */
export function pause({ after }: Pick<Timers, 'after'>, ms: number): Promise<void> {
  return new Promise((resolve) => void after(ms, resolve))
}

/** Resolves in the next turn of the event loop. */
export function turn({ soon }: Pick<Timers, 'soon'>): Promise<void> {
  return new Promise((resolve) => soon(resolve))
}
