/** A replica's configuration file. The schema describes each key: docs/reference is made from it. Unknown keys are errors. */
import { z } from 'zod'
import { cronText } from '../shared/config/cron-text.ts'
import {
  checkpoint,
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
  readonly data: string
  readonly identity: string
  readonly listen: string
  readonly primary: { readonly address: string; readonly peer_id: string }
  readonly kek: KekSettings
  readonly log: LogSettings
  readonly metrics: MetricsSettings
  readonly verify_open: boolean
  readonly checkpoint: { readonly pages: number }
  readonly maintenance: { readonly scrub: string; readonly sweep: string }
  readonly peers: readonly PeerEntry[]
}

export const replicaConfig: z.ZodType<ReplicaConfig> = z.strictObject({
  cluster: clusterName,
  region: regionName.describe('The region. Tokens may name it, and services prefer the replicas of their own.'),
  data: pathText.describe(
    'Folder of the database copy, its position, the journal of revocations and the saved table. It can be fetched again.',
  ),
  identity: pathText.describe('File with the node’s Noise identity, from `macaroond keygen` or `macaroond init`.'),
  listen: listenAddress.describe(
    'Address and port to listen on. All channels share it. Port 0 lets the system choose.',
  ),
  primary: z.strictObject({
    address: listenAddress.describe('Where the primary is dialled, as `host:port`.'),
    peer_id: peerIdText.describe('The PeerId of the primary. No other node is accepted at that address.'),
  }),
  kek: kekSettings,
  log: logSettings,
  metrics: metricsSettings,
  verify_open: z
    .boolean()
    .default(false)
    .describe('Let any PeerId verify tokens here, not only the workers under `[[peers]]`.'),
  checkpoint,
  maintenance: z
    .strictObject({
      scrub: cronText
        .default('47 3 * * *')
        .describe('When the whole copy is read and compared with the checksum of its position.'),
      sweep: cronText
        .default('47 4 * * *')
        .describe('When revocations that can deny no living token any more are dropped from memory.'),
    })
    .prefault({}),
  peers: peerList,
})
