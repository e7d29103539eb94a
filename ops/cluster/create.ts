/**
 * Makes the folder of a new cluster on one machine, for `dev`, tours and examples: identities, the key-encryption key, and the
 * configurations of the nodes. `ops/init` makes clusters for several machines.
 */
import { accessSync, constants, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'smol-toml'
import { createIdentityFile } from '../../shared/channel/identity.ts'
import type { Entropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import { type ClientRole, CALLERS, configPath, keyPath, replicaName } from './folder.ts'
import { freePorts } from './ports.ts'

/** A cluster to make: the folder, the cluster's name, and its regions with one replica each. */
export interface NewCluster {
  readonly path: string
  readonly cluster: string
  readonly regions: readonly string[]
  readonly entropy: Entropy
}

/** A node with an identity and a port of its own. */
interface Identified {
  readonly name: string
  readonly peerId: string
  readonly address: string
}

interface IdentifiedReplica extends Identified {
  readonly region: string
}

/** Throws io_failed when the folder cannot be made or written to. */
export function prepareFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    accessSync(path, constants.W_OK | constants.X_OK)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new MacaroondError('io_failed', `cannot use ${path} as a cluster folder: ${code}`, {
      hint: 'choose a folder that this user may write to with --dir',
      cause,
    })
  }
}

/** Throws usage if the folder is not empty. The primary's configuration is written last: it marks the folder as complete. */
export async function createCluster({ path, cluster, regions, entropy }: NewCluster): Promise<void> {
  // The caller holds the folder's lock, so the lock file is already there.
  const found = readdirSync(path).filter((name) => !name.startsWith('node.lock'))
  if (found.length > 0) {
    throw new MacaroondError('usage', `${path} is not empty, and there is no cluster in it`, {
      hint: `give an empty or a new folder; found ${found.slice(0, 3).join(', ')}`,
    })
  }
  const ports = await freePorts(regions.length + 1, entropy)
  const identify = async (name: string, port: number | undefined): Promise<Identified> => {
    const { peerId } = await createIdentityFile(keyPath(path, name), entropy)
    return { name, peerId, address: `127.0.0.1:${port}` }
  }
  const primary = await identify('primary', ports[0])
  const callers = new Map<string, string>()
  for (const role of CALLERS) callers.set(role, (await createIdentityFile(keyPath(path, role), entropy)).peerId)
  const replicas: IdentifiedReplica[] = []
  for (const [index, region] of regions.entries()) {
    replicas.push({ region, ...(await identify(replicaName(region), ports[index + 1])) })
  }
  writeAtomically(join(path, 'kek'), `${entropy.bytes(32).toString('hex')}\n`)
  const parts = { cluster, primary, replicas, callers }
  for (const replica of replicas) writeConfig(path, replica.name, replicaToml(replica, parts))
  writeConfig(path, primary.name, primaryToml(parts))
}

/** All of a cluster that its configurations name. */
interface Parts {
  readonly cluster: string
  readonly primary: Identified
  readonly replicas: readonly IdentifiedReplica[]
  /** PeerIds by role. */
  readonly callers: ReadonlyMap<string, string>
}

function primaryToml({ cluster, primary, replicas, callers }: Parts): object {
  const peers = replicas.map(({ peerId, name, region }) => ({ id: peerId, name, role: 'replica', region }))
  return {
    cluster,
    ...commonToml(primary),
    peers: [callerEntry(callers, 'operator'), { ...callerEntry(callers, 'signer'), orgs: ['*'] }, ...peers],
  }
}

function replicaToml(replica: IdentifiedReplica, { cluster, primary, callers }: Parts): object {
  const { address, peerId } = primary
  const peers = [callerEntry(callers, 'operator'), callerEntry(callers, 'worker')]
  const dials = { primary: { address, peer_id: peerId } }
  return { cluster, region: replica.region, ...commonToml(replica), ...dials, peers }
}

function commonToml({ name, address }: Identified): object {
  return { data: name, identity: `${name}.key`, listen: address, kek: { file: 'kek' } }
}

function callerEntry(callers: ReadonlyMap<string, string>, role: ClientRole): object {
  return { id: callers.get(role), name: role, role }
}

function writeConfig(path: string, name: string, values: object): void {
  const heading = `# ${name} of a cluster that \`macaroond dev\` made; paths are relative to this file.\n`
  writeAtomically(configPath(path, name), `${heading}${stringify(values)}`)
}
