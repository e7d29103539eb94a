/**
 * Adds a peer to a cluster that `init` made: an identity in a folder of its own, and the blocks that the operator adds to the
 * configurations of the nodes it dials. It edits no configuration, because those in use are on other machines.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createIdentityFile, loadIdentity } from '../../shared/channel/identity.ts'
import type { Entropy } from '../../shared/clock.ts'
import { type Profile, readProfile } from '../../shared/config/profile.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import {
  type ClusterMember,
  type ClusterMembers,
  operatorPeer,
  profileReplica,
  profileToml,
  replicaPeer,
  replicaToml,
  signerPeer,
  workerPeer,
} from './configurations.ts'

/** The peer to add, with what its role needs. */
export type NewPeer =
  | { readonly role: 'worker' | 'operator'; readonly name: string }
  | { readonly role: 'signer'; readonly name: string; readonly orgs: readonly string[] }
  | { readonly role: 'replica'; readonly name: string; readonly address: string }

/** The identity that was made, and the text that the operator still has to copy. */
export interface AddedPeer {
  readonly peerId: string
  /** Relative to the cluster's folder. */
  readonly folder: string
  /** Each block is text that the operator adds to each of `files`. */
  readonly blocks: readonly { readonly files: readonly string[]; readonly block: string }[]
}

/** Throws key_exists for a name that is taken, usage if the folder is not one of `init`. */
export async function addPeer(dir: string, peer: NewPeer, entropy: Entropy): Promise<AddedPeer> {
  const profile = profileIn(dir)
  const folder = folderOf(peer)
  if (existsSync(join(dir, folder)))
    throw new MacaroondError('key_exists', `${join(dir, folder)} exists already`, { hint: 'choose another name' })
  try {
    mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 })
    const members = await membersOf(dir, profile)
    const { peerId } = await createIdentityFile(join(dir, folder, `${peer.role}.key`), entropy)
    const own = { name: peer.name, peerId }
    writeFiles(join(dir, folder), peer, own, {
      members,
      authorityKey: profile.authority_key,
      // `init` wrote the same key-encryption key for every node.
      kek: join(dir, 'primary', 'kek'),
    })
    return { peerId, folder, blocks: blocksOf(peer, own, profile) }
  } catch (error) {
    throw storageError(error, `writing ${join(dir, folder)}`)
  }
}

/** The operator's profile marks a folder as one of `init`, and names all nodes. Throws usage. */
function profileIn(dir: string): Profile {
  const file = join(dir, 'operator', 'operator.toml')
  if (existsSync(file)) return readProfile(file)
  throw new MacaroondError('usage', `there is no cluster of \`macaroond init\` in ${dir}`, {
    hint: `${file} is missing; for another cluster make an identity with \`macaroond keygen\``,
  })
}

/** A replica's folder is named by its region, as `init` names it. */
function folderOf({ role, name }: NewPeer): string {
  return role === 'replica' ? name : `${role}s/${name}`
}

/** The facts about the cluster that the new peer's files contain. */
interface ExistingCluster {
  readonly members: ClusterMembers
  readonly authorityKey: string | undefined
  /** Path of the file with the key-encryption key. */
  readonly kek: string
}

function writeFiles(
  folder: string,
  peer: NewPeer,
  own: ClusterMember,
  { members, authorityKey, kek }: ExistingCluster,
): void {
  const put = (file: string, text: string): void => writeAtomically(join(folder, file), text)
  if (peer.role === 'replica') {
    put('kek', readFileSync(kek, 'utf8'))
    put('replica.toml', replicaToml(members, { ...own, region: peer.name, address: peer.address }))
    return
  }
  const says = `Profile of the ${peer.role} ${peer.name}.`
  put(`${peer.role}.toml`, profileToml(members, { role: peer.role, says, authorityKey }))
}

/** Nodes come from the profile, operators and workers from the identities that are still in the folder. */
async function membersOf(dir: string, { cluster, primary, replicas }: Profile): Promise<ClusterMembers> {
  const operator = await loadIdentity(join(dir, 'operator', 'operator.key'))
  return {
    cluster,
    primary: { name: 'primary', peerId: primary.peer_id, address: primary.address },
    replicas: replicas.map(({ region, address, peer_id: peerId }) => ({ name: region, region, address, peerId })),
    operators: [{ name: 'operator', peerId: operator.peerId }, ...(await identitiesIn(dir, 'operator'))],
    workers: await identitiesIn(dir, 'worker'),
    // No file of a new peer names signers: only the primary does.
    signers: [],
  }
}

async function identitiesIn(dir: string, role: 'operator' | 'worker'): Promise<readonly ClusterMember[]> {
  const folder = join(dir, `${role}s`)
  const names = existsSync(folder) ? readdirSync(folder).toSorted() : []
  const there = names.filter((name) => existsSync(join(folder, name, `${role}.key`)))
  return Promise.all(
    there.map(async (name) => ({ name, peerId: (await loadIdentity(join(folder, name, `${role}.key`))).peerId })),
  )
}

/** The entries that let the new peer in, each with the files of the nodes that it dials. */
function blocksOf(peer: NewPeer, own: ClusterMember, { replicas }: Profile): AddedPeer['blocks'] {
  const everyReplica = replicas.map(({ region }) => `${region}/replica.toml`)
  switch (peer.role) {
    case 'worker':
      return [{ files: everyReplica, block: workerPeer(own) }]
    case 'signer':
      return [{ files: ['primary/primary.toml'], block: signerPeer({ ...own, orgs: peer.orgs }) }]
    case 'operator':
      return [{ files: ['primary/primary.toml', ...everyReplica], block: operatorPeer(own) }]
    case 'replica': {
      const replica = { ...own, region: peer.name, address: peer.address }
      return [
        { files: ['primary/primary.toml'], block: replicaPeer(replica) },
        { files: ['every profile'], block: profileReplica(replica) },
      ]
    }
  }
}
