/**
 * Runs recurring jobs by cron expression, in UTC, because local time has gaps and repeats. node-cron parses the expression and
 * computes the next run. This file does the waiting, because node-cron would step through every run that a jump of the clock
 * has skipped. A missed job runs once. A failing job does not end the node.
 */
import { createTask, validate } from 'node-cron'
import { type CallOff, type Clock, systemClock, systemEntropy, type Entropy, type Timers } from '../clock.ts'
import { MacaroondError, reportOf } from '../errors.ts'
import { CLOCK_JUMP_MS_MAX } from '../limits.ts'
import type { Log } from '../log.ts'

/** A recurring job of a node. */
export interface Job {
  readonly name: string
  /** Five or six cron fields, in UTC. */
  readonly at: string
  readonly run: () => Promise<void>
  /** Largest random delay, drawn for each run, so that nodes with one configuration do not all work at once. */
  readonly jitterMs?: number
  /** False while the node doubts its time. A job that is due then runs once afterwards. */
  readonly mayRun?: () => boolean
}

/** Schedules a job. Returns a function that stops it. */
export type Schedule = (job: Job, log: Log) => () => void

/** Interval at which the wall clock is checked, because it may be set while a job waits. */
const CHECK_MS = 60_000
const DOUBT_CHECK_MS = 5_000

/** Throws config_invalid if the expression is invalid, or matches no time. */
export const scheduleJob: Schedule = (job, log) => {
  const waiting = new WaitingJob(job, log)
  return () => waiting.stop()
}

/** Wraps a schedule: its jobs wait while `mayRun` is false. */
export function whileBelieved(schedule: Schedule, mayRun: () => boolean): Schedule {
  return (job, log) => schedule({ ...job, mayRun }, log)
}

/** The next `count` runs of an expression, unix milliseconds; undefined if it is invalid or matches no time. */
export function nextRuns(at: string, count: number): readonly number[] | undefined {
  if (!validate(at)) return undefined
  try {
    const task = createTask(at, () => undefined, { timezone: 'UTC' })
    const runs = task.getNextRuns(count).map((date) => date.getTime())
    void task.destroy()
    return runs
  } catch {
    // For example the 31st of February.
    return undefined
  }
}

class WaitingJob {
  readonly #job: Job
  readonly #log: Log
  readonly #clock: Clock & Timers = systemClock
  readonly #entropy: Pick<Entropy, 'uniform'> = systemEntropy
  /** Both clocks when the next run was planned. */
  #planned = { wallMs: 0, monotonicMs: 0 }
  #dueMs = 0
  /** Monotonic time of the last run. */
  #ranMs = -Infinity
  #running = false
  #callOff: CallOff | undefined
  #callOffJitter: CallOff | undefined

  constructor(job: Job, log: Log) {
    this.#job = job
    this.#log = log
    this.#plan()
    this.#wait()
  }

  stop(): void {
    this.#callOff?.()
    this.#callOffJitter?.()
  }

  #wait(): void {
    const untilDueMs = this.#dueMs - this.#clock.wallMs()
    const waitMs = untilDueMs > 0 ? Math.min(CHECK_MS, Math.max(1, untilDueMs)) : DOUBT_CHECK_MS
    this.#callOff = this.#clock.after(waitMs, () => this.#check())
  }

  #check(): void {
    if (this.#wasSetBack()) this.#plan()
    if (this.#clock.wallMs() >= this.#dueMs && this.#mayRun) {
      this.#begin()
      this.#plan()
    }
    this.#wait()
  }

  get #mayRun(): boolean {
    return this.#job.mayRun?.() ?? true
  }

  /** True if the wall clock was set back since the next run was planned, so that run is now too far away. */
  #wasSetBack(): boolean {
    const { wallMs, monotonicMs } = this.#planned
    const moved = this.#clock.wallMs() - wallMs - (this.#clock.monotonicMs() - monotonicMs)
    return moved < -CLOCK_JUMP_MS_MAX
  }

  /** Plans the next run. After a clock was set back, a job that ran less than half an interval ago skips the repeated time. */
  #plan(): void {
    const { name, at } = this.#job
    const [next, afterNext] = nextRuns(at, 2) ?? []
    if (next === undefined || afterNext === undefined) {
      throw new MacaroondError('config_invalid', `the schedule of ${name} is not a cron expression: ${at}`)
    }
    this.#planned = { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() }
    const sinceRunMs = this.#planned.monotonicMs - this.#ranMs
    const again = next - this.#planned.wallMs + sinceRunMs < (afterNext - next) / 2
    this.#dueMs = again ? afterNext : next
  }

  #begin(): void {
    this.#ranMs = this.#clock.monotonicMs()
    const { jitterMs = 0 } = this.#job
    if (jitterMs === 0) return void this.#run()
    this.#callOffJitter = this.#clock.after(this.#entropy.uniform() * jitterMs, () => void this.#run())
  }

  /** Runs the job, unless it is still running. */
  async #run(): Promise<void> {
    const { name, run } = this.#job
    if (this.#running) return
    this.#running = true
    try {
      await run()
    } catch (error) {
      this.#log.error({ job: name, error: reportOf(error) }, 'a scheduled job failed')
    } finally {
      this.#running = false
    }
  }
}
