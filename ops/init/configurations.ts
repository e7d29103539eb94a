/**
 * Pure: the configurations and profiles of a new cluster as TOML, from identities and addresses. Each file has comments,
 * because operators edit it later without this program.
 */
import { stringify } from 'smol-toml'
import type { Profile } from '../../shared/config/profile.ts'
import { listenOf } from './plan.ts'

export interface ClusterMember {
  readonly name: string
  readonly peerId: string
}

export interface ReplicaMember extends ClusterMember {
  readonly region: string
  readonly address: string
}

export interface SignerMember extends ClusterMember {
  readonly orgs: readonly string[]
}

/** All identities of a new cluster, from which its configurations and profiles are written. */
export interface ClusterMembers {
  readonly cluster: string
  readonly primary: ClusterMember & { readonly address: string }
  readonly replicas: readonly ReplicaMember[]
  readonly operators: readonly ClusterMember[]
  readonly workers: readonly ClusterMember[]
  readonly signers: readonly SignerMember[]
}

/** The primary's configuration. Its `[[peers]]` are the replicas, operators and signers that dial it. */
export function primaryToml(
  { cluster, primary, replicas, operators, signers }: ClusterMembers,
  archive: string | undefined,
): string {
  return document([
    `# The primary of cluster "${cluster}". Paths are relative to this file.\n# Start it with: macaroond primary --config primary.toml`,
    pair({ cluster }),
    '# Database, segment log and lock. This is the one folder that must survive.',
    pair({ data: 'data' }),
    pair({ identity: 'primary.key' }),
    `# Where it listens. The other machines dial ${primary.address}.`,
    pair({ listen: listenOf(primary.address) }),
    '# The authority’s signing key, sealed. It is copied into the database when that is created, and not read again.',
    pair({ signing_key: 'signing.key' }),
    KEK,
    ...archiveToml(archive),
    '# A replica becomes a peer by its entry here; the primary reads the peers again on SIGHUP.',
    ...replicas.map(replicaPeer),
    ...operators.map(operatorPeer),
    ...signers.map(signerPeer),
  ])
}

/** A replica's configuration. Its `[[peers]]` are the workers and operators that dial it. */
export function replicaToml(
  { cluster, primary, operators, workers }: ClusterMembers,
  { region, address }: ReplicaMember,
): string {
  return document([
    `# The replica of cluster "${cluster}" in region ${region}. Paths are relative to this file.\n# Start it with: macaroond replica --config replica.toml`,
    pair({ cluster }),
    pair({ region }),
    '# A copy of the database and the journal of revocations. It can be fetched again from the primary.',
    pair({ data: 'data' }),
    pair({ identity: 'replica.key' }),
    `# Where it listens. Services of the region dial ${address}.`,
    pair({ listen: listenOf(address) }),
    KEK,
    '# The PeerId is pinned: no other node is accepted at this address.',
    stringify({ primary: { address: primary.address, peer_id: primary.peerId } }),
    '# Services that verify tokens here, and operators; the replica reads the peers again on SIGHUP.',
    ...operators.map(operatorPeer),
    ...workers.map(workerPeer),
  ])
}

/** The parts of a profile that differ from one client to the next. */
export interface ProfileOf {
  /** The identity is the file `<role>.key` beside the profile. */
  readonly role: 'operator' | 'worker' | 'signer'
  /** The first sentence of the file. */
  readonly says: string
  /** The authority's public key, 64 hex digits. */
  readonly authorityKey: string | undefined
}

/** A profile: the caller's identity, the addresses and pinned PeerIds of all nodes, the authority's public key. */
export function profileToml(
  { cluster, primary, replicas }: ClusterMembers,
  { role, says, authorityKey }: ProfileOf,
): string {
  const profile: Profile = {
    cluster,
    identity: `${role}.key`,
    ...(authorityKey === undefined ? {} : { authority_key: authorityKey }),
    primary: { address: primary.address, peer_id: primary.peerId },
    replicas: replicas.map(({ region, address, peerId }) => ({ region, address, peer_id: peerId })),
  }
  return document([`# ${says} Use it with --profile or MACAROOND_PROFILE.`, stringify(profile)])
}

export function workerPeer({ name, peerId }: ClusterMember): string {
  return peer({ id: peerId, name, role: 'worker' })
}

export function signerPeer({ name, peerId, orgs }: SignerMember): string {
  return peer({ id: peerId, name, role: 'signer', orgs: [...orgs] })
}

export function replicaPeer({ name, peerId, region }: ReplicaMember): string {
  return peer({ id: peerId, name, role: 'replica', region })
}

export function operatorPeer({ name, peerId }: ClusterMember): string {
  return peer({ id: peerId, name, role: 'operator' })
}

/** The entry of a replica in a profile. */
export function profileReplica({ region, address, peerId }: ReplicaMember): string {
  return stringify({ replicas: [{ region, address, peer_id: peerId }] })
}

const KEK = [
  '# The key-encryption key: the same 64 hex digits on the primary and on every replica. Keep a copy off these machines.',
  stringify({ kek: { file: 'kek' } }),
].join('\n')

/** Without `--archive` the default stays in force, and the file shows how to change it. */
function archiveToml(to: string | undefined): readonly string[] {
  if (to !== undefined)
    return ['# Every transaction is archived here; restores read it.', stringify({ archive: { to } })]
  return [
    '# Every transaction is archived beside the data, and is lost with this machine. For an archive elsewhere:',
    '# [archive]',
    '# to = "s3://BUCKET/FOLDER?endpoint=https://…&region=…"',
  ]
}

function pair(values: Readonly<Record<string, string>>): string {
  return stringify(values)
}

function peer(entry: object): string {
  return stringify({ peers: [entry] })
}

/** Joins the parts, with a blank line before each comment that begins a part and each table without a comment. */
function document(parts: readonly string[]): string {
  const spaced = parts.map((part, index) => {
    const follows = parts[index - 1]?.startsWith('#') === true && !part.startsWith('#')
    const begins = part.startsWith('#') || part.startsWith('[')
    return index > 0 && begins && !follows ? `\n${part.trimEnd()}` : part.trimEnd()
  })
  return `${spaced.join('\n')}\n`
}
