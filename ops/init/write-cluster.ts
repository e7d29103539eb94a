/**
 * Writes the files of a new cluster: one folder for each node and each client. A folder holds exactly the private keys that its
 * machine needs, so the operator copies it there as it is. Nothing is overwritten.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createIdentityFile } from '../../shared/channel/identity.ts'
import type { Entropy } from '../../shared/clock.ts'
import { newSigningKey } from '../../shared/database/signing-key-file.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import { kekFromHex } from '../../shared/sealing.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { type ClusterMembers, primaryToml, type ProfileOf, profileToml, replicaToml } from './configurations.ts'
import type { ClusterPlan } from './plan.ts'

/** The result of `init`. */
export interface WrittenCluster {
  readonly members: ClusterMembers
  /** 64 hex digits. */
  readonly authorityKey: string
  /** Folders below the cluster's, each with the machine or service it is for. */
  readonly folders: readonly { readonly folder: string; readonly goesTo: string }[]
}

/** Throws usage if the folder is not empty, io_failed, disk_full. */
export async function writeCluster(dir: string, plan: ClusterPlan, entropy: Entropy): Promise<WrittenCluster> {
  refuseUsed(dir)
  try {
    return await write(dir, plan, entropy)
  } catch (error) {
    throw storageError(error, `writing the cluster to ${dir}`)
  }
}

async function write(dir: string, plan: ClusterPlan, entropy: Entropy): Promise<WrittenCluster> {
  const members = await makeIdentities(dir, plan, entropy)
  const kek = `${entropy.bytes(32).toString('hex')}\n`
  const { publicKey, text: signingKey } = newSigningKey(plan.cluster, kekFromHex(kek.trim()), entropy)
  const authorityKey = Buffer.from(publicKey).toString('hex')
  const put = (path: string, text: string): void => writeAtomically(join(dir, path), text)
  const profile = (folder: string, role: ProfileOf['role'], says: string): void =>
    put(`${folder}/${role}.toml`, profileToml(members, { role, says, authorityKey }))
  for (const replica of members.replicas) {
    put(`${replica.region}/kek`, kek)
    put(`${replica.region}/replica.toml`, replicaToml(members, replica))
  }
  for (const { name } of members.workers)
    profile(`workers/${name}`, 'worker', `Profile of the service ${name}, which verifies tokens.`)
  for (const { name } of members.signers)
    profile(`signers/${name}`, 'signer', `Profile of the service ${name}, which issues tokens.`)
  profile('operator', 'operator', 'Profile of an operator with every right in this cluster.')
  // The primary's configuration is last: an interrupted init leaves a folder that no primary can start from.
  put('primary/kek', kek)
  put('primary/signing.key', signingKey)
  put('primary/primary.toml', primaryToml(members, plan.archive))
  return { members, authorityKey, folders: foldersOf(members) }
}

/** Makes every private key inside the folder of its owner, so no key has to be moved. */
async function makeIdentities(dir: string, plan: ClusterPlan, entropy: Entropy): Promise<ClusterMembers> {
  const identity = async (folder: string, file: string): Promise<string> => {
    mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 })
    return (await createIdentityFile(join(dir, folder, file), entropy)).peerId
  }
  const primary = { name: 'primary', address: plan.primary, peerId: await identity('primary', 'primary.key') }
  const operator = { name: 'operator', peerId: await identity('operator', 'operator.key') }
  const replicas = []
  for (const { region, address } of plan.regions)
    replicas.push({ name: region, region, address, peerId: await identity(region, 'replica.key') })
  const workers = []
  for (const name of plan.workers) workers.push({ name, peerId: await identity(`workers/${name}`, 'worker.key') })
  const signers = []
  for (const { name, orgs } of plan.signers)
    signers.push({ name, orgs, peerId: await identity(`signers/${name}`, 'signer.key') })
  return { cluster: plan.cluster, primary, operators: [operator], replicas, workers, signers }
}

function foldersOf({ primary, replicas, workers, signers }: ClusterMembers): WrittenCluster['folders'] {
  return [
    { folder: 'primary', goesTo: `the machine at ${primary.address}` },
    ...replicas.map(({ region, address }) => ({ folder: region, goesTo: `the machine at ${address}` })),
    { folder: 'operator', goesTo: 'the operator of the cluster' },
    ...workers.map(({ name }) => ({ folder: `workers/${name}`, goesTo: `the service ${name}, which verifies tokens` })),
    ...signers.map(({ name }) => ({ folder: `signers/${name}`, goesTo: `the service ${name}, which issues tokens` })),
  ]
}

/** Refuses a folder that is not empty, and makes the parent of a new one. Throws usage. */
function refuseUsed(dir: string): void {
  const found = existsSync(dir) ? readdirSync(dir) : []
  if (found.length > 0) {
    throw new MacaroondError('usage', `${dir} is not empty: init overwrites nothing`, {
      hint: `give a new folder; found ${found.slice(0, 3).join(', ')}. To add a peer to a cluster: macaroond peers add`,
    })
  }
  if (!existsSync(dirname(dir))) mkdirSync(dirname(dir), { recursive: true })
}
