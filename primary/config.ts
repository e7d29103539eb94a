/** The primary's configuration file. Every key is documented here and in the README; unknown keys are errors. */
import { DURABILITY_LEVELS } from '../shared/database/meta.ts'
import { z } from 'zod'
import {
  clusterName,
  kekSettings,
  listenAddress,
  logSettings,
  metricsSettings,
  peerList,
  type KekSettings,
  type LogSettings,
  type MetricsSettings,
  type PeerEntry,
} from '../shared/config/node-config.ts'
import { cronText } from '../shared/config/cron-text.ts'
import { archiveConfig, type ArchiveConfig } from './archiver/config.ts'
import type { DurabilitySettings } from './durability/durability.ts'
import { pathText } from '../shared/config/read-config.ts'
import { FRESHNESS_DEFAULTS, freshnessFault, type FreshnessSettings } from '../shared/freshness/bound.ts'
import { CLOCK_RATE_ERROR_MAX, LEASE_MS_MAX, SERVICE_TTL_SECONDS_MAX } from '../shared/limits.ts'

export interface PrimaryConfig {
  readonly cluster: string
  /** Folder of the database, the segment log and the lock file. */
  readonly data: string
  /** Noise identity, as `macaroond keygen` makes it. */
  readonly identity: string
  /** A sealed signing key that a new database takes in, as `macaroond init` makes it; without it the primary makes one. */
  readonly signing_key?: string | undefined
  readonly listen: string
  /** Acknowledge writes although no replica has agreed with this boot's position. */
  readonly alone: boolean
  readonly kek: KekSettings
  readonly log: LogSettings
  readonly metrics: MetricsSettings
  readonly segments: {
    /** How much of the segment log is kept for replicas that were away; older ones get a snapshot. */
    readonly keep_bytes: number
  }
  readonly checkpoint: {
    /** The WAL is copied into the database once it has so many pages. */
    readonly pages: number
  }
  /**
   * Leases of freshness, in milliseconds. From `lease_ms`, `clock_rate_error` and `decision_ms` follows the published bound
   * within which a revocation binds everywhere, whatever is cut off (5101 ms with the defaults).
   */
  readonly freshness: FreshnessSettings
  /** What `revoke --wait durable`, the default, waits for. */
  readonly durability: DurabilitySettings
  readonly tokens: {
    /** Longest life of a service token, as `token exchange` makes it; what needs no login ought to end by itself. */
    readonly service_token_days: number
  }
  readonly disk: {
    /** Megabytes that are kept for revocations on a full disk; as much again has to be free before anything else goes on. */
    readonly reserve_mb: number
  }
  readonly maintenance: {
    /** When the database is read whole and compared with the checksum kept while writing. */
    readonly scrub: string
    /** When revocations that hit nothing any more are deleted. */
    readonly purge: string
  }
  readonly archive: ArchiveConfig
  readonly peers: readonly PeerEntry[]
}

const SERVICE_TOKEN_DAYS_MAX = SERVICE_TTL_SECONDS_MAX / 86_400

export const primaryConfig: z.ZodType<PrimaryConfig> = z
  .strictObject({
    cluster: clusterName,
    data: pathText,
    identity: pathText,
    signing_key: pathText.optional(),
    listen: listenAddress,
    alone: z.boolean().default(false),
    kek: kekSettings,
    log: logSettings,
    metrics: metricsSettings,
    segments: z
      .strictObject({
        keep_bytes: z
          .number()
          .int()
          .min(1_000_000)
          .max(1e12)
          .default(256 * 1024 * 1024),
      })
      .prefault({}),
    checkpoint: z.strictObject({ pages: z.number().int().min(100).max(1_000_000).default(2_000) }).prefault({}),
    freshness: z
      .strictObject({
        lease_ms: z.number().min(100).max(LEASE_MS_MAX).default(FRESHNESS_DEFAULTS.lease_ms),
        ping_ms: z.number().max(60_000).default(FRESHNESS_DEFAULTS.ping_ms),
        clock_rate_error: z.number().min(0).max(CLOCK_RATE_ERROR_MAX).default(FRESHNESS_DEFAULTS.clock_rate_error),
        decision_ms: z.number().min(1).default(FRESHNESS_DEFAULTS.decision_ms),
      })
      .superRefine((settings, context) => {
        const fault = freshnessFault(settings)
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
      })
      .prefault({}),
    durability: z
      .strictObject({
        revocations: z.enum(DURABILITY_LEVELS).optional(),
        degraded: z.boolean().default(false),
      })
      .prefault({}),
    tokens: z
      .strictObject({
        service_token_days: z.number().int().min(1).max(SERVICE_TOKEN_DAYS_MAX).default(SERVICE_TOKEN_DAYS_MAX),
      })
      .prefault({}),
    disk: z.strictObject({ reserve_mb: z.number().min(0).max(4_096).default(16) }).prefault({}),
    maintenance: z
      .strictObject({ scrub: cronText.default('17 3 * * *'), purge: cronText.default('17 4 * * *') })
      .prefault({}),
    archive: archiveConfig,
    peers: peerList,
  })
  .superRefine(({ durability, archive }, context) => {
    if (durability.revocations !== 'archive' || (archive.enabled && archive.to !== undefined)) return
    const message =
      'revocations = "archive" needs an archive elsewhere: `to` under [archive]; one beside the data dies with it'
    context.addIssue({ code: 'custom', path: ['durability', 'revocations'], message })
  })
