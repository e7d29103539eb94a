/** Recurring jobs by cron expression. A job that is still running is not started again; a failing one never ends the node. */
import { schedule, validate } from 'node-cron'
import { MacaroondError, reportOf } from '../errors.ts'
import type { Log } from '../log.ts'

export interface Job {
  readonly name: string
  /** Five or six cron fields, in the node's local time. */
  readonly at: string
  readonly run: () => Promise<void>
}

/** How a node has its jobs scheduled. */
export type Schedule = (job: Job, log: Log) => () => void

/** Throws config_invalid for an expression that is none. Returns what stops the job. */
export function scheduleJob({ name, at, run }: Job, log: Log): () => void {
  if (!validate(at))
    throw new MacaroondError('config_invalid', `the schedule of ${name} is not a cron expression: ${at}`)
  const task = schedule(
    at,
    async () => {
      try {
        await run()
      } catch (error) {
        log.error({ job: name, error: reportOf(error) }, 'a scheduled job failed')
      }
    },
    { name, noOverlap: true },
  )
  return () => void task.destroy()
}
