/** Recurring jobs by cron expression. A job that is still running is not started again; a failing one never ends the node. */
import { schedule, validate, type Logger } from 'node-cron'
import { MacaroondError, reportOf } from '../errors.ts'
import type { Log } from '../log.ts'

export interface Job {
  readonly name: string
  /** Five or six cron fields, in the node's local time. */
  readonly at: string
  readonly run: () => Promise<void>
  /** At most so long after the time, drawn anew each time: many nodes with one configuration do not all work at once. */
  readonly jitterMs?: number
}

/** How a node has its jobs scheduled. */
export type Schedule = (job: Job, log: Log) => () => void

/**
 * A time that was missed, because the machine slept or this process was busy, is made up for at once. Throws config_invalid
 * for an expression that is none. Returns what stops the job.
 */
export function scheduleJob({ name, at, run, jitterMs = 0 }: Job, log: Log): () => void {
  if (!validate(at))
    throw new MacaroondError('config_invalid', `the schedule of ${name} is not a cron expression: ${at}`)
  let running = false
  const work = async (): Promise<void> => {
    if (running) return
    running = true
    try {
      await run()
    } catch (error) {
      log.error({ job: name, error: reportOf(error) }, 'a scheduled job failed')
    } finally {
      running = false
    }
  }
  const options = { name, noOverlap: true, maxRandomDelay: jitterMs, logger: toLogger(name, log) }
  const task = schedule(at, work, options)
  task.on('execution:missed', work)
  return () => void task.destroy()
}

/** The scheduler's own words would go to stdout and stderr. */
function toLogger(job: string, log: Log): Logger {
  const note = (message: string | Error): void => log.debug({ job, message: String(message) }, 'scheduler')
  return { info: note, warn: note, debug: note, error: note }
}
