/** The members of the simulated cluster: names, addresses, identities, and the configuration of each node. */
import { join } from 'node:path'
import { primaryConfig, type PrimaryConfig } from '../../../primary/config.ts'
import { replicaConfig, type ReplicaConfig } from '../../../replica/config.ts'
import { identityFromSeed, type Identity } from '../../../shared/channel/identity.ts'
import { kekFromHex, type Kek } from '../../../shared/sealing.ts'

export const REGIONS = ['fra', 'sin'] as const
export type Region = (typeof REGIONS)[number]

export const CLUSTER = 'simulated'
export const ORG = 'acme'
export const KEK: Kek = kekFromHex('5a'.repeat(32))
/** What it is rotated to, in some seeds. */
export const NEXT_KEK: Kek = kekFromHex('a5'.repeat(32))

/** The machine of the services of a region. */
export function servicesOf(region: Region): string {
  return `${region}-services`
}

const SERVICES = REGIONS.map(servicesOf)
/** Stands ready, and takes the primary's address where a restore makes it one. */
export const SUCCESSOR = 'successor'
export const MACHINES: readonly string[] = ['primary', ...REGIONS, 'operator', ...SERVICES, SUCCESSOR]

const identities = new Map<string, Identity>()
for (const [index, name] of MACHINES.entries())
  identities.set(name, await identityFromSeed(Buffer.alloc(32, index + 1)))

export function identityOf(name: string): Identity {
  const identity = identities.get(name)
  if (identity === undefined) throw new Error(`there is no ${name}`)
  return identity
}

export function ipOf(name: string): string {
  return `10.0.0.${MACHINES.indexOf(name) + 1}`
}

export function addressOf(name: string): string {
  return `${ipOf(name)}:7000`
}

const peer = (name: string, role: string): object => ({ id: identityOf(name).peerId, name, role })
const COMMON = { cluster: CLUSTER, identity: '/simulated', kek: { env: 'SIMULATED' }, log: { level: 'silent' } }

export interface Freshness {
  readonly lease_ms: number
  readonly ping_ms: number
}

/** How the primary archives. */
export interface ArchivePlan {
  /** Costs a request an object: what waits is merged, and a lost answer is repeated by the client itself. */
  readonly bucket: boolean
  /** Between two rounds of uploads. */
  readonly everyMs: number
  /** A revocation is durable once it is archived. */
  readonly durable: boolean
  /** How long single transactions can be restored; undefined for longer than any run. */
  readonly windowMs: number | undefined
}

const DAY_MS = 86_400_000

/** The archive lies beside the database, and is on the same disk. */
export function archiveIn(data: string): string {
  return join(data, 'archive')
}

/** Its name goes into the audit, and what is there must be the same in every run of a seed. */
const ARCHIVE = '/simulated/archive'

function archiveConfigOf(plan: ArchivePlan | undefined): object {
  if (plan === undefined) return { archive: { enabled: false } }
  const { everyMs, durable, windowMs } = plan
  const kept = windowMs === undefined ? {} : { window_days: windowMs / DAY_MS, keep_days: (2 * windowMs) / DAY_MS }
  return {
    archive: { to: ARCHIVE, upload_every_ms: everyMs, ...kept },
    ...(durable ? { durability: { revocations: 'archive' } } : {}),
  }
}

export function primaryConfigIn(data: string, freshness: Freshness, archive?: ArchivePlan): PrimaryConfig {
  const peers = [peer('operator', 'operator'), ...REGIONS.map((region) => peer(region, 'replica'))]
  const sizes = { segments: { keep_bytes: 1_000_000 }, checkpoint: { pages: 100 }, disk: { reserve_mb: 0.45 } }
  const small = { ...sizes, ...archiveConfigOf(archive) }
  return primaryConfig.parse({ ...COMMON, ...small, data, listen: addressOf('primary'), freshness, peers })
}

export function replicaConfigIn(data: string, region: Region): ReplicaConfig {
  const primary = { address: addressOf('primary'), peer_id: identityOf('primary').peerId }
  const peers = [peer('operator', 'operator'), peer(servicesOf(region), 'worker')]
  const small = { checkpoint: { pages: 100 } }
  return replicaConfig.parse({ ...COMMON, ...small, data, listen: addressOf(region), region, primary, peers })
}
