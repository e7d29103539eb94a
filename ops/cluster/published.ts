/** What a cluster that is up leaves in its folder for others: the operator's profile, then a file that says it is up. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'smol-toml'
import type { Profile } from '../../shared/config/profile.ts'
import { askStatus } from '../clients.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import type { Cluster } from './cluster.ts'
import { type ClientRole, CALLERS, keyPath, type NodeSpec } from './folder.ts'
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
  /** Profiles by role, each with no more rights than it needs; a folder of macaroond 0.1.0 has the operator's only. */
  readonly profiles: Readonly<Partial<Record<ClientRole, string>>>
}

export function profilePath(folder: string, role: ClientRole = 'operator'): string {
  return join(folder, `${role}.toml`)
}

const SAYS: Readonly<Record<ClientRole, string>> = {
  operator: 'Profile of an operator with every right in this cluster.',
  worker: 'Profile of a service that verifies tokens, and may do nothing else.',
  signer: 'Profile of a service that issues and revokes tokens of every org.',
}

function writeProfiles(path: string, profile: Profile): PublishedCluster['profiles'] {
  const roles = CALLERS.filter((role) => existsSync(keyPath(path, role)))
  for (const role of roles) {
    const heading = `# ${SAYS[role]} Use it with --profile or MACAROOND_PROFILE.\n`
    writeAtomically(profilePath(path, role), `${heading}${stringify({ ...profile, identity: `${role}.key` })}`)
  }
  return Object.fromEntries(roles.map((role) => [role, profilePath(path, role)]))
}

function clusterPath(folder: string): string {
  return join(folder, 'cluster.json')
}

/** `cluster.json` comes last and by rename: whoever sees it sees everything. */
export async function publish(cluster: Cluster): Promise<PublishedCluster> {
  const { path, primary, replicas, archive } = cluster.folder
  const profile = await withAuthorityKey(cluster.folder.profile)
  const profiles = writeProfiles(path, profile)
  const published: PublishedCluster = {
    primary: describe(cluster, primary),
    replicas: replicas.map((spec) => ({ region: spec.region ?? '', ...describe(cluster, spec) })),
    archive,
    profiles,
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
