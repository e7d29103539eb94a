/** The folder of a cluster on one machine: the names of its files, and its nodes as their configurations describe them. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { archiveLocation } from '../../primary/archiver/open-archiver.ts'
import { readPrimaryConfig } from '../../primary/main.ts'
import { readReplicaConfig } from '../../replica/main.ts'
import { loadIdentity } from '../../shared/channel/identity.ts'
import type { Profile } from '../../shared/config/profile.ts'

/** A node of the cluster: its files, its address and its identity. */
export interface NodeSpec {
  /** `primary`, `replica-fra` …: the name of its configuration, key, data folder and log. */
  readonly name: string
  readonly role: 'primary' | 'replica'
  readonly region: string | null
  readonly address: string
  readonly peerId: string
  readonly database: string
  readonly config: string
  readonly log: string
}

/** A cluster as its folder describes it, running or not. */
export interface ClusterFolder {
  readonly path: string
  readonly primary: NodeSpec
  readonly replicas: readonly NodeSpec[]
  /** Location of the primary's archive; null if it has none. */
  readonly archive: string | null
  /** The profile of an operator with every right at every node. */
  readonly profile: Profile
}

const PRIMARY = 'primary'
const REPLICA_CONFIG = /^(replica-[a-z0-9-]+)\.toml$/
const DATABASE = 'macaroond.db'

/** The roles for which the folder has an identity and a profile, each with only the rights it needs. */
export const CALLERS = ['operator', 'worker', 'signer'] as const

export type ClientRole = (typeof CALLERS)[number]

export function replicaName(region: string): string {
  return `replica-${region}`
}

export function configPath(folder: string, name: string): string {
  return join(folder, `${name}.toml`)
}

export function keyPath(folder: string, name: string): string {
  return join(folder, `${name}.key`)
}

/** True if the folder has a complete cluster: the primary's configuration is the last file that is made. */
export function holdsCluster(folder: string): boolean {
  return existsSync(configPath(folder, PRIMARY))
}

/** Reads the configurations, which the user may have edited. Throws config_invalid, config_unreadable. */
export async function openClusterFolder(path: string): Promise<ClusterFolder> {
  const config = readPrimaryConfig(configPath(path, PRIMARY))
  const primary = await specOf(path, { name: PRIMARY, role: 'primary', region: null }, config)
  const names = readdirSync(path).flatMap((file) => REPLICA_CONFIG.exec(file)?.[1] ?? [])
  const replicas = await Promise.all(
    names.toSorted().map((name) => {
      const replica = readReplicaConfig(configPath(path, name))
      return specOf(path, { name, role: 'replica', region: replica.region }, replica)
    }),
  )
  return {
    path,
    primary,
    replicas,
    archive: archiveLocation(config) ?? null,
    profile: profileOf(path, config.cluster, primary, replicas),
  }
}

/** The part of a node that its configuration does not contain. */
type Naming = Pick<NodeSpec, 'name' | 'role' | 'region'>
type NodeFiles = { readonly data: string; readonly identity: string; readonly listen: string }

async function specOf(path: string, naming: Naming, { data, identity, listen }: NodeFiles): Promise<NodeSpec> {
  const { peerId } = await loadIdentity(identity)
  const { name } = naming
  const files = { database: join(data, DATABASE), config: configPath(path, name), log: join(path, `${name}.log`) }
  return { ...naming, address: listen, peerId, ...files }
}

function profileOf(path: string, cluster: string, primary: NodeSpec, replicas: readonly NodeSpec[]): Profile {
  const node = ({ address, peerId }: NodeSpec): { address: string; peer_id: string } => ({ address, peer_id: peerId })
  return {
    cluster,
    identity: keyPath(path, 'operator'),
    primary: node(primary),
    replicas: replicas.map((spec) => ({ region: spec.region ?? '', ...node(spec) })),
  }
}
