/**
 * Recurring jobs by cron expression, in UTC: civil time has gaps and repeats. node-cron reads the expression and says the next
 * run; the waiting is ours, because it would walk through every run that a clock which jumped has passed. So a jump of any
 * size costs one look. A job that was missed runs once. A failing job never ends the node.
 */
import { createTask, validate } from 'node-cron'
import { type CallOff, type Clock, systemClock, systemEntropy, type Entropy, type Timers } from '../clock.ts'
import { MacaroondError, reportOf } from '../errors.ts'
import { CLOCK_JUMP_MS_MAX } from '../limits.ts'
import type { Log } from '../log.ts'

export interface Job {
  readonly name: string
  /** Five or six cron fields, in UTC. */
  readonly at: string
  readonly run: () => Promise<void>
  /** At most so long after the time, drawn anew each time: many nodes with one configuration do not all work at once. */
  readonly jitterMs?: number
  /** False while the time is in doubt: what is due then runs once when it is not any more. */
  readonly mayRun?: () => boolean
}

/** How a node has its jobs scheduled. Returns what stops the job. */
export type Schedule = (job: Job, log: Log) => () => void

/** The wall clock may be set while a job waits, so it is looked at this often. */
const LOOK_MS = 60_000
const DOUBT_LOOK_MS = 5_000

/** Throws config_invalid for an expression that is none, or that no moment fits. */
export const scheduleJob: Schedule = (job, log) => {
  const waiting = new WaitingJob(job, log)
  return () => waiting.stop()
}

/** The same, whose jobs wait while the time is in doubt. */
export function whileBelieved(schedule: Schedule, mayRun: () => boolean): Schedule {
  return (job, log) => schedule({ ...job, mayRun }, log)
}

/** The next moments of an expression after the wall clock's now, unix milliseconds; undefined if it is none. */
export function nextRuns(at: string, count: number): readonly number[] | undefined {
  if (!validate(at)) return undefined
  try {
    const task = createTask(at, () => undefined, { timezone: 'UTC' })
    const runs = task.getNextRuns(count).map((date) => date.getTime())
    void task.destroy()
    return runs
  } catch {
    // The 31st of February: nothing within a hundred years.
    return undefined
  }
}

class WaitingJob {
  readonly #job: Job
  readonly #log: Log
  readonly #clock: Clock & Timers = systemClock
  readonly #entropy: Pick<Entropy, 'uniform'> = systemEntropy
  /** Where both clocks stood when the next run was planned. */
  #planned = { wallMs: 0, monotonicMs: 0 }
  #dueMs = 0
  /** By the monotonic clock, which nobody sets. */
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
    const waitMs = untilDueMs > 0 ? Math.min(LOOK_MS, Math.max(1, untilDueMs)) : DOUBT_LOOK_MS
    this.#callOff = this.#clock.after(waitMs, () => this.#look())
  }

  #look(): void {
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

  /** Then the next run is further away than it was when it was planned. */
  #wasSetBack(): boolean {
    const { wallMs, monotonicMs } = this.#planned
    const moved = this.#clock.wallMs() - wallMs - (this.#clock.monotonicMs() - monotonicMs)
    return moved < -CLOCK_JUMP_MS_MAX
  }

  /** A clock that was set back meets a moment again: a job that ran less than half its interval ago waits for the next one. */
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

  /** One that still runs is not started again. */
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
