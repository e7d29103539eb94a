/** The schema of a replica's configuration file. Every key is documented here and in the README; unknown keys are errors. */
import { z } from 'zod'
import { cronText } from '../shared/config/cron-text.ts'
import {
  clusterName,
  kekSettings,
  listenAddress,
  logSettings,
  metricsSettings,
  peerIdText,
  peerList,
  regionName,
  type KekSettings,
  type LogSettings,
  type MetricsSettings,
  type PeerEntry,
} from '../shared/config/node-config.ts'
import { pathText } from '../shared/config/read-config.ts'

export interface ReplicaConfig {
  readonly cluster: string
  readonly region: string
  /** Folder of the database copy, its position record, the revocation journal and the saved table of revocations. */
  readonly data: string
  /** File with the Noise identity that `macaroond keygen` makes. */
  readonly identity: string
  readonly listen: string
  readonly primary: { readonly address: string; readonly peer_id: string }
  readonly kek: KekSettings
  readonly log: LogSettings
  readonly metrics: MetricsSettings
  /** Lets any PeerId open the `verify` channel, not only the workers listed. */
  readonly verify_open: boolean
  readonly checkpoint: { readonly pages: number }
  readonly maintenance: {
    /** Schedule (cron, UTC) of reading the whole copy and comparing it with the checksum of its position. */
    readonly scrub: string
    /** Schedule (cron, UTC) of deleting outlived revocations from memory. */
    readonly sweep: string
  }
  readonly peers: readonly PeerEntry[]
}

export const replicaConfig: z.ZodType<ReplicaConfig> = z.strictObject({
  cluster: clusterName,
  region: regionName,
  data: pathText,
  identity: pathText,
  listen: listenAddress,
  primary: z.strictObject({ address: listenAddress, peer_id: peerIdText }),
  kek: kekSettings,
  log: logSettings,
  metrics: metricsSettings,
  verify_open: z.boolean().default(false),
  checkpoint: z.strictObject({ pages: z.number().int().min(100).max(1_000_000).default(2_000) }).prefault({}),
  maintenance: z
    .strictObject({ scrub: cronText.default('47 3 * * *'), sweep: cronText.default('47 4 * * *') })
    .prefault({}),
  peers: peerList,
})
