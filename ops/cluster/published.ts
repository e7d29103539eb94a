/**
 * The files that a running cluster writes into its folder for other programs: a profile for each role, then `cluster.json`,
 * which exists only while the cluster runs.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'smol-toml'
import type { Profile } from '../../shared/config/profile.ts'
import { askStatus } from '../clients.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import type { Cluster } from './cluster.ts'
import { type ClientRole, CALLERS, keyPath, type NodeSpec } from './folder.ts'
import { commandOf } from './node-process.ts'

/** A node as `cluster.json` describes it. */
export interface PublishedNode {
  readonly pid: number
  readonly address: string
  readonly peerId: string
  readonly database: string
  readonly config: string
  /** Starts this node again, on the same port. */
  readonly command: readonly string[]
}

/** The contents of `cluster.json`, for programs that use a running `macaroond dev`. */
export interface PublishedCluster {
  readonly primary: PublishedNode
  readonly replicas: readonly (PublishedNode & { readonly region: string })[]
  /** Location of the primary's archive; null if it has none. */
  readonly archive: string | null
  /** Profiles by role, each with only the rights it needs. A folder made by macaroond 0.1.0 has only the operator's. */
  readonly profiles: Readonly<Partial<Record<ClientRole, string>>>
}

export function profilePath(folder: string, role: ClientRole = 'operator'): string {
  return join(folder, `${role}.toml`)
}

/** The first sentence of each profile. */
const SAYS: Readonly<Record<ClientRole, string>> = {
  operator: 'Profile of an operator with every right in this cluster.',
  worker: 'Profile of a service that verifies tokens, and may do nothing else.',
  signer: 'Profile of a service that issues and revokes tokens of every org.',
}

/** Writes a profile for each identity in the folder. A folder of an earlier version has fewer. */
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

/** Writes `cluster.json` last and by rename, so a program that sees it sees all other files complete. */
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

/** Adds the key with which restores check the archive: from the primary over a pinned channel, never from the archive. */
async function withAuthorityKey(profile: Profile): Promise<Profile> {
  const status = await askStatus(profile, profile.primary)
  return status.role === 'primary' ? { ...profile, authority_key: status.authorityKey } : profile
}

/** Removes `cluster.json`: after the run it would name processes that no longer exist. */
export function unpublish(folder: string): void {
  rmSync(clusterPath(folder), { force: true })
}

function describe(cluster: Cluster, spec: NodeSpec): PublishedNode {
  const { address, peerId, database, config } = spec
  return { pid: cluster.pidOf(spec) ?? 0, address, peerId, database, config, command: commandOf(spec) }
}
