/** What a cluster that is up leaves in its folder for others: the operator's profile, then a file that says it is up. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'smol-toml'
import type { Profile } from '../../shared/config/profile.ts'
import { askStatus } from '../clients.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import type { Cluster } from './cluster.ts'
import type { NodeSpec } from './folder.ts'
import { OPERATOR_KEY } from './folder.ts'
import { commandOf } from './node-process.ts'

export interface PublishedNode {
  readonly pid: number
  readonly address: string
  readonly peerId: string
  readonly database: string
  readonly config: string
  /** Starts this node again, on the same port. */
  readonly command: readonly string[]
}

export interface PublishedCluster {
  readonly primary: PublishedNode
  readonly replicas: readonly (PublishedNode & { readonly region: string })[]
  /** Where the primary archives to; null where it does not. */
  readonly archive: string | null
}

export function profilePath(folder: string): string {
  return join(folder, 'operator.toml')
}

function clusterPath(folder: string): string {
  return join(folder, 'cluster.json')
}

/** `cluster.json` comes last and by rename: whoever sees it sees everything. */
export async function publish(cluster: Cluster): Promise<PublishedCluster> {
  const { path, primary, replicas, archive } = cluster.folder
  const profile = await withAuthorityKey(cluster.folder.profile)
  const heading =
    '# Profile of an operator with every right in this cluster. Use it with --profile or MACAROOND_PROFILE.\n'
  writeAtomically(profilePath(path), `${heading}${stringify({ ...profile, identity: OPERATOR_KEY })}`)
  const published: PublishedCluster = {
    primary: describe(cluster, primary),
    replicas: replicas.map((spec) => ({ region: spec.region ?? '', ...describe(cluster, spec) })),
    archive,
  }
  writeAtomically(clusterPath(path), `${JSON.stringify(published, null, 2)}\n`)
  return published
}

/** Restores check the archive with it, and it must not come from there: the primary is asked, over a channel that is pinned. */
async function withAuthorityKey(profile: Profile): Promise<Profile> {
  const status = await askStatus(profile, profile.primary)
  return status.role === 'primary' ? { ...profile, authority_key: status.authorityKey } : profile
}

/** A file of an earlier run would name processes that are gone. */
export function unpublish(folder: string): void {
  rmSync(clusterPath(folder), { force: true })
}

function describe(cluster: Cluster, spec: NodeSpec): PublishedNode {
  const { address, peerId, database, config } = spec
  return { pid: cluster.pidOf(spec) ?? 0, address, peerId, database, config, command: commandOf(spec) }
}
