/** The caller's profile: who it is, and where the nodes of its cluster are. Every key is documented here and in the README. */
import { z } from 'zod'
import { authorityKeyText, clusterName, listenAddress, peerIdText, regionName } from './node-config.ts'
import { fromConfigFolder, pathText, readConfig } from './read-config.ts'

export interface ProfileNode {
  readonly address: string
  readonly peer_id: string
}

export interface ProfileReplica extends ProfileNode {
  readonly region: string
}

export interface Profile {
  readonly cluster: string
  /** Noise identity of the caller, as `macaroond keygen` makes it. */
  readonly identity: string
  readonly primary: ProfileNode
  /** The authority's public key, 64 hex digits, as `macaroond archive key` prints it: restores check the archive with it. */
  readonly authority_key?: string | undefined
  readonly replicas: readonly ProfileReplica[]
}

const node = { address: listenAddress, peer_id: peerIdText }

export const profileSchema: z.ZodType<Profile> = z.strictObject({
  cluster: clusterName,
  identity: pathText,
  primary: z.strictObject(node),
  authority_key: authorityKeyText.optional(),
  replicas: z
    .array(z.strictObject({ region: regionName, ...node }))
    .max(1024)
    .default([]),
})

/** The identity's path in the result is absolute. Throws config_invalid, config_unreadable. */
export function readProfile(file: string): Profile {
  const profile = readConfig(file, profileSchema)
  return { ...profile, identity: fromConfigFolder(file, profile.identity) }
}
