/** The primary's configuration file. Each key is documented here and in the README. Unknown keys are errors. */
import { DURABILITY_LEVELS } from '../shared/database/durability-level.ts'
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
  /** Name of the cluster. A peer or a database of another name is refused. */
  readonly cluster: string
  /** Folder of the database, the segment log and the lock file. */
  readonly data: string
  /** File with the Noise identity that `macaroond keygen` makes. */
  readonly identity: string
  /** File with a sealed signing key for a new database, from `macaroond init`. Without it the primary makes a key. */
  readonly signing_key?: string | undefined
  /** TCP address and port. All channels share it. */
  readonly listen: string
  /** True to acknowledge writes although no witness has confirmed this boot's position. */
  readonly alone: boolean
  /** Sources of the key-encryption key, and of earlier ones. */
  readonly kek: KekSettings
  readonly log: LogSettings
  readonly metrics: MetricsSettings
  readonly segments: {
    /** Size of the segment log. A replica that was away longer gets a snapshot. */
    readonly keep_bytes: number
  }
  readonly checkpoint: {
    /** A checkpoint is due once the WAL has this many pages. */
    readonly pages: number
  }
  /**
   * Freshness leases, in milliseconds. `lease_ms`, `clock_rate_error` and `decision_ms` determine the published bound: within
   * it a revocation binds everywhere, also in regions that are cut off (5101 ms with the defaults).
   */
  readonly freshness: FreshnessSettings
  /** The durability that `revoke --wait durable` (the default) waits for. */
  readonly durability: DurabilitySettings
  readonly tokens: {
    /** Longest life of a service token. Such a token needs no login, so it should expire. */
    readonly service_token_days: number
  }
  readonly disk: {
    /**
     * Megabytes reserved for revocations on a full disk. Other writes resume once the reserve is complete and as many
     * megabytes are free.
     */
    readonly reserve_mb: number
  }
  readonly maintenance: {
    /** Cron expression: when all pages are read and compared with the checksum kept while writing. */
    readonly scrub: string
    /** Cron expression: when outlived revocations are deleted. */
    readonly purge: string
  }
  readonly archive: ArchiveConfig
  /** The nodes and services that may connect, by PeerId. Only this part can change at run time (SIGHUP). */
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
      'revocations = "archive" needs `to` under [archive]: an archive beside the data would be lost with it'
    context.addIssue({ code: 'custom', path: ['durability', 'revocations'], message })
  })
