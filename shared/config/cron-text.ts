/** Schema of a schedule in a configuration. */
import { z } from 'zod'
import { nextRuns } from '../service/schedule.ts'

/** Five or six cron fields, in UTC, that match at least one time. */
export const cronText: z.ZodString = z
  .string()
  .regex(/^\S+( \S+){4,5}$/, 'a schedule has five or six cron fields')
  .refine((at) => nextRuns(at, 1) !== undefined, 'the fields are no cron expression, or match no time')
