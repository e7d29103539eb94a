/** The profile of a caller: its identity and the nodes of its cluster. The schema describes each key. */
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
  readonly identity: string
  readonly primary: ProfileNode
  readonly authority_key?: string | undefined
  readonly replicas: readonly ProfileReplica[]
}

const node = {
  address: listenAddress.describe('Where the node is dialled, as `host:port`.'),
  peer_id: peerIdText.describe('The PeerId of the node. No other node is accepted at that address.'),
}

export const profileSchema: z.ZodType<Profile> = z.strictObject({
  cluster: clusterName,
  identity: pathText.describe('File with the caller’s Noise identity. Its role is in the configuration of each node.'),
  primary: z.strictObject(node),
  authority_key: authorityKeyText
    .optional()
    .describe(
      'The authority’s public key, as `macaroond archive key` prints it. A restore checks the archive with it.',
    ),
  replicas: z
    .array(z.strictObject({ region: regionName.describe('The region of the replica.'), ...node }))
    .max(1024)
    .default([]),
})

/** Reads a profile; `identity` in the result is an absolute path. Throws config_invalid, config_unreadable. */
export function readProfile(file: string): Profile {
  return withAbsolutePaths(file, readConfig(file, profileSchema))
}
