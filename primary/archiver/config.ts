/** `[archive]` of the primary's configuration. The schema describes each key: docs/reference is made from it. */
import { z } from 'zod'
import { locationProblem } from '../../shared/archive/open-archive.ts'
import type { RetentionRules } from './files/retention-plan.ts'
import { cronText } from '../../shared/config/cron-text.ts'
import { pathText } from '../../shared/config/read-config.ts'
import type { ArchiverRules, JobName } from './state.ts'

export interface ArchiveConfig {
  readonly enabled: boolean
  readonly to?: string | undefined
  readonly copies: readonly string[]
  readonly upload_every_ms: number
  readonly window_days: number
  readonly keep_days: number
  readonly files_max: number
  readonly bytes_max: number
  readonly late_seconds: number
  readonly jitter_seconds: number
  readonly schedule: ArchiveSchedule
}

/** Schedules of the jobs: cron expressions in UTC. */
export interface ArchiveSchedule {
  readonly level_1: string
  readonly level_2: string
  readonly level_3: string
  readonly snapshot: string
  readonly retention: string
  readonly drill: string
  readonly heartbeat: string
}

const schedule = z
  .strictObject({
    level_1: cronText.default('*/30 * * * * *').describe('When single transactions are merged into files of level 1.'),
    level_2: cronText.default('*/5 * * * *').describe('When files of level 1 are merged into level 2.'),
    level_3: cronText.default('0 * * * *').describe('When files of level 2 are merged into level 3.'),
    snapshot: cronText
      .default('0 0 * * *')
      .describe('When the whole database is uploaded, which bounds what a restore has to read.'),
    retention: cronText.default('30 * * * *').describe('When files that no restore needs any more are deleted.'),
    drill: cronText
      .default('45 4 * * *')
      .describe('When a random past transaction is restored and compared with the checksum recorded at its commit.'),
    heartbeat: cronText
      .default('15 * * * *')
      .describe('When a transaction is written if there was none, so that uploads are tested on quiet days too.'),
  })
  .prefault({})

/** Each copy costs the primary its own uploads, merges and drills. */
const COPIES_MAX = 4

/** Checks the location when the configuration is read, so that a mistake stops the start and not the first upload. */
const place = pathText.superRefine((to, context) => {
  const message = locationProblem(to)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

export const archiveConfig: z.ZodType<ArchiveConfig> = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('False to archive nothing. A restore can then only read the copies of replicas.'),
    to: place
      .optional()
      .describe(
        'A folder, relative to this file, or a bucket: `s3://BUCKET/FOLDER?endpoint=URL&region=NAME`, with its credentials in the environment. Default: `<data>-archive`, beside the data.',
      ),
    copies: z
      .array(place)
      .max(COPIES_MAX)
      .default([])
      .describe(
        'Further places of the same form. Each gets everything too, so that a restore can read it if the first one is lost.',
      ),
    upload_every_ms: z
      .number()
      .int()
      .min(0)
      .max(600_000)
      .default(1_000)
      .describe(
        'Time between two rounds of uploads. In a bucket the transactions of a round become one object. In a folder, and with 0, each is a file of its own.',
      ),
    window_days: z
      .number()
      .min(0)
      .max(3_650)
      .default(7)
      .describe('Days for which each single transaction can be restored: at most `keep_days`.'),
    keep_days: z
      .number()
      .min(0)
      .max(36_500)
      .default(30)
      .describe(
        'Days for which the database can be restored at all: beyond `window_days` only to the steps of merged files.',
      ),
    files_max: z
      .number()
      .int()
      .min(100)
      .max(10_000_000)
      .default(200_000)
      .describe(
        'Most files of single transactions. Above it the oldest are deleted early; merged files keep their content.',
      ),
    bytes_max: z
      .number()
      .int()
      .min(1_000_000)
      .max(1e13)
      .default(10_000_000_000)
      .describe('Most bytes of single transactions, likewise.'),
    late_seconds: z
      .number()
      .int()
      .min(5)
      .max(86_400)
      .default(60)
      .describe('A transaction or a job that waits longer raises an alarm.'),
    jitter_seconds: z
      .number()
      .min(0)
      .max(3_600)
      .default(5)
      .describe(
        'Each job starts up to this many seconds late, at random, so that the primaries of one store do not work at once.',
      ),
    schedule,
  })
  .prefault({})
  .refine((config) => config.window_days <= config.keep_days, 'window_days must not be more than keep_days')
  .refine(({ to, copies }) => new Set([to, ...copies]).size === copies.length + 1, 'a place is named twice')

const DAY_MS = 86_400_000

export function rulesOf({ upload_every_ms: roundMs, late_seconds: lateSeconds }: ArchiveConfig): ArchiverRules {
  return { roundMs, retryBaseMs: 500, retryMaxMs: 30_000, lateMs: lateSeconds * 1_000 }
}

export function retentionOf(config: ArchiveConfig): RetentionRules {
  const { window_days: window, keep_days: keep, files_max: filesMax, bytes_max: bytesMax } = config
  return { windowMs: window * DAY_MS, keepMs: keep * DAY_MS, filesMax, bytesMax }
}

export const JOB_SCHEDULES: Readonly<Record<JobName, keyof ArchiveSchedule>> = {
  'compact 1': 'level_1',
  'compact 2': 'level_2',
  'compact 3': 'level_3',
  snapshot: 'snapshot',
  retain: 'retention',
  drill: 'drill',
  heartbeat: 'heartbeat',
}
