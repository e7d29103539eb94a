/** The primary's configuration file. The schema describes each key: docs/reference is made from it. Unknown keys are errors. */
import { DURABILITY_LEVELS } from '../shared/database/durability-level.ts'
import { z } from 'zod'
import {
  checkpoint,
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
import { CLOCK_RATE_ERROR_MAX, LEASE_MS_MAX, PING_INTERVAL_MS_MIN, SERVICE_TTL_SECONDS_MAX } from '../shared/limits.ts'

export interface PrimaryConfig {
  readonly cluster: string
  readonly data: string
  readonly identity: string
  readonly signing_key?: string | undefined
  readonly listen: string
  readonly alone: boolean
  readonly kek: KekSettings
  readonly log: LogSettings
  readonly metrics: MetricsSettings
  readonly segments: { readonly keep_bytes: number }
  readonly checkpoint: { readonly pages: number }
  readonly freshness: FreshnessSettings
  readonly durability: DurabilitySettings
  readonly tokens: { readonly service_token_days: number }
  readonly disk: { readonly reserve_mb: number }
  readonly maintenance: { readonly scrub: string; readonly purge: string }
  readonly archive: ArchiveConfig
  /** Only this part can change at run time (SIGHUP). */
  readonly peers: readonly PeerEntry[]
}

const SERVICE_TOKEN_DAYS_MAX = SERVICE_TTL_SECONDS_MAX / 86_400

export const primaryConfig: z.ZodType<PrimaryConfig> = z
  .strictObject({
    cluster: clusterName,
    data: pathText.describe(
      'Folder of the database, the segment log and the lock file. This is the folder that must survive.',
    ),
    identity: pathText.describe('File with the node’s Noise identity, from `macaroond keygen` or `macaroond init`.'),
    signing_key: pathText
      .optional()
      .describe(
        'File with a sealed signing key for a new database, from `macaroond init`. Without it the primary makes a key.',
      ),
    listen: listenAddress.describe(
      'Address and port to listen on. All channels share it. Port 0 lets the system choose.',
    ),
    alone: z
      .boolean()
      .default(false)
      .describe('Take writes although no replica and no archive has confirmed that the disk is not an older copy.'),
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
          .default(256 * 1024 * 1024)
          .describe('Size of the segment log. A replica that was away for longer than it reaches gets a snapshot.'),
      })
      .prefault({}),
    checkpoint,
    freshness: z
      .strictObject({
        lease_ms: z
          .number()
          .min(100)
          .max(LEASE_MS_MAX)
          .default(FRESHNESS_DEFAULTS.lease_ms)
          .describe('How long a region that is cut off goes on judging tokens. It decides the bound of a revocation.'),
        ping_ms: z
          .number()
          .max(60_000)
          .default(FRESHNESS_DEFAULTS.ping_ms)
          .describe(
            `How often a replica asks for the next lease: at least ${PING_INTERVAL_MS_MIN}, and at most half of \`lease_ms\`.`,
          ),
        clock_rate_error: z
          .number()
          .min(0)
          .max(CLOCK_RATE_ERROR_MAX)
          .default(FRESHNESS_DEFAULTS.clock_rate_error)
          .describe('No clock of the cluster runs faster or slower than real time by more than this fraction.'),
        decision_ms: z
          .number()
          .min(1)
          .default(FRESHNESS_DEFAULTS.decision_ms)
          .describe('Time from the last look at the clock until a verdict leaves: at most `lease_ms`.'),
      })
      .superRefine((settings, context) => {
        const fault = freshnessFault(settings)
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
      })
      .prefault({}),
    durability: z
      .strictObject({
        revocations: z
          .enum(DURABILITY_LEVELS)
          .optional()
          .describe(
            'Where a revocation is durable before `revoke` answers. Default: `replica` if one is configured, else `local`. `archive` needs `to` under `[archive]`.',
          ),
        degraded: z
          .boolean()
          .default(false)
          .describe(
            'Acknowledge a revocation with less durability after 2 s. The answer, `status` and the metrics say so.',
          ),
      })
      .prefault({}),
    tokens: z
      .strictObject({
        service_token_days: z
          .number()
          .int()
          .min(1)
          .max(SERVICE_TOKEN_DAYS_MAX)
          .default(SERVICE_TOKEN_DAYS_MAX)
          .describe('Longest life of a service token. Such a token needs no login, so it should expire.'),
      })
      .prefault({}),
    disk: z
      .strictObject({
        reserve_mb: z
          .number()
          .min(0)
          .max(4_096)
          .default(16)
          .describe(
            'Megabytes that stay free for revocations on a full disk. Other writes resume once they are complete and as many are free.',
          ),
      })
      .prefault({}),
    maintenance: z
      .strictObject({
        scrub: cronText
          .default('17 3 * * *')
          .describe('When all pages are read and compared with the checksum that was kept while writing.'),
        purge: cronText
          .default('17 4 * * *')
          .describe('When revocations that can deny no living token any more are deleted.'),
      })
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
