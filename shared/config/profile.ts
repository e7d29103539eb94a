/** The profile of a caller: its identity and the nodes of its cluster. Every key is documented here and in the README. */
import { z } from 'zod'
import { authorityKeyText, clusterName, listenAddress, peerIdText, regionName } from './node-config.ts'
import { pathText, readConfig, withAbsolutePaths } from './read-config.ts'

export interface ProfileNode {
  readonly address: string
  readonly peer_id: string
}

export interface ProfileReplica extends ProfileNode {
  readonly region: string
}

export interface Profile {
  readonly cluster: string
  /** Path of the caller's identity file, as `macaroond keygen` creates it. */
  readonly identity: string
  readonly primary: ProfileNode
  /** The authority's public key, 64 hex digits, as `macaroond archive key` prints it. A restore checks the archive with it. */
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

/** Reads a profile; `identity` in the result is an absolute path. Throws config_invalid, config_unreadable. */
export function readProfile(file: string): Profile {
  return withAbsolutePaths(file, readConfig(file, profileSchema))
}
