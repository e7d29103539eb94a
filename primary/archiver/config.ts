/** `[archive]` of the primary's configuration. Each key is documented here and in the README. */
import { z } from 'zod'
import { locationProblem } from '../../shared/archive/open-archive.ts'
import type { RetentionRules } from './files/retention-plan.ts'
import { cronText } from '../../shared/config/cron-text.ts'
import { pathText } from '../../shared/config/read-config.ts'
import type { ArchiverRules, JobName } from './state.ts'

export interface ArchiveConfig {
  /** True to archive. If false, a restore can only read the copies of replicas. */
  readonly enabled: boolean
  /**
   * A directory, relative to the configuration file, or a bucket, `s3://BUCKET/FOLDER?endpoint=URL&region=NAME` with its
   * credentials in the environment. Default: `<data>-archive`, beside the data.
   */
  readonly to?: string | undefined
  /** Further places of the same form. Each gets everything too, so that a restore can read it if the first one is lost. */
  readonly copies: readonly string[]
  /**
   * Milliseconds between two rounds of uploads: a transaction reaches the archive about this long after its commit. In a bucket
   * the transactions of a round become one object. In a directory, and with 0, each transaction is a file of its own.
   */
  readonly upload_every_ms: number
  /** Days for which each single transaction can be restored. */
  readonly window_days: number
  /** Days for which the database can be restored at all: beyond `window_days` only to the steps of merged files. */
  readonly keep_days: number
  /**
   * Limits on the files of single transactions. Above them the oldest are deleted early, and their content remains in merged
   * files.
   */
  readonly files_max: number
  readonly bytes_max: number
  /** A transaction or job that waits longer raises an alert. */
  readonly late_seconds: number
  /** Each job starts up to this many seconds late, at random, so that the primaries of one object store do not work at once. */
  readonly jitter_seconds: number
  readonly schedule: ArchiveSchedule
}

/** Schedules of the jobs: cron expressions in UTC. */
export interface ArchiveSchedule {
  /** Merges: level 1 from single transactions, level 2 from 1, level 3 from 2. */
  readonly level_1: string
  readonly level_2: string
  readonly level_3: string
  /** Uploads the whole database, which bounds what a restore has to read. */
  readonly snapshot: string
  readonly retention: string
  /** Restores the database at a random past transaction, and compares it with the checksum recorded at its commit. */
  readonly drill: string
  /** Writes a transaction if there was none since the last time, so that uploads are tested on quiet days too. */
  readonly heartbeat: string
}

const schedule = z
  .strictObject({
    level_1: cronText.default('*/30 * * * * *'),
    level_2: cronText.default('*/5 * * * *'),
    level_3: cronText.default('0 * * * *'),
    snapshot: cronText.default('0 0 * * *'),
    retention: cronText.default('30 * * * *'),
    drill: cronText.default('45 4 * * *'),
    heartbeat: cronText.default('15 * * * *'),
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
    enabled: z.boolean().default(true),
    to: place.optional(),
    copies: z.array(place).max(COPIES_MAX).default([]),
    upload_every_ms: z.number().int().min(0).max(600_000).default(1_000),
    window_days: z.number().min(0).max(3_650).default(7),
    keep_days: z.number().min(0).max(36_500).default(30),
    files_max: z.number().int().min(100).max(10_000_000).default(200_000),
    bytes_max: z.number().int().min(1_000_000).max(1e13).default(10_000_000_000),
    late_seconds: z.number().int().min(5).max(86_400).default(60),
    jitter_seconds: z.number().min(0).max(3_600).default(5),
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
