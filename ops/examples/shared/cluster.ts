/** Starts a macaroond cluster for an example: a primary and replicas as processes, and an identity for each peer. */
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createSigner, type Signer } from '../../../primary/signer/sdk.ts'
import { createIdentityFile } from '../../../shared/channel/identity.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { Cluster } from '../../cluster/cluster.ts'
import { createCluster } from '../../cluster/create.ts'
import { configPath, openClusterFolder, replicaName } from '../../cluster/folder.ts'
import { profilePath, publish } from '../../cluster/published.ts'
import type { Story } from './story.ts'

export const CLUSTER = 'example'

/** A peer that may dial in, besides the operator. A signer with `orgs = []` acts for no org and only presents tokens. */
export interface Peer {
  readonly name: string
  readonly role: 'signer' | 'worker'
  readonly orgs?: readonly string[]
}

/** A running cluster, as the stories use it. */
export interface ExampleCluster {
  /** Path of the operator's profile, for `--profile`. */
  readonly profile: string
  readonly replicas: readonly { readonly region: string; readonly address: string; readonly peerId: string }[]
  readonly operator: Signer
  /** A connection to the primary as one of the peers. */
  readonly signerAs: (name: string) => Promise<Signer>
  /** Path of the identity file of one of the peers. */
  readonly identityOf: (name: string) => string
  readonly peerIdOf: (name: string) => string
}

/** Makes, starts and publishes the cluster. The story stops it at its end. */
export async function startCluster(
  story: Story,
  { regions = ['fra'], peers }: { readonly regions?: readonly string[]; readonly peers: readonly Peer[] },
): Promise<ExampleCluster> {
  const path = join(story.folder, 'cluster')
  mkdirSync(path)
  await createCluster({ path, cluster: CLUSTER, regions, entropy: systemEntropy })
  const ids = new Map<string, string>()
  // Before the start, because the nodes read their peers then.
  for (const peer of peers) ids.set(peer.name, await admit(path, peer, regions))
  const folder = await openClusterFolder(path)
  const cluster = new Cluster(folder, ({ name }, how) => process.stderr.write(`${name} ended (${how})\n`))
  story.atTheEnd(() => cluster.stop())
  await cluster.start()
  await publish(cluster)
  const identityOf = (name: string): string => join(path, `${name}.key`)
  const { address, peer_id: peerId } = folder.profile.primary
  const signerAs = async (name: string): Promise<Signer> => {
    const signer = await createSigner({ cluster: CLUSTER, identity: identityOf(name), primary: { address, peerId } })
    story.atTheEnd(() => signer.close())
    return signer
  }
  return {
    profile: profilePath(path),
    replicas: folder.replicas.map((node) => ({
      region: node.region ?? '',
      address: node.address,
      peerId: node.peerId,
    })),
    operator: await signerAs('operator'),
    signerAs,
    identityOf,
    peerIdOf: (name) => ids.get(name) ?? '',
  }
}

/** Makes an identity and adds it to the nodes that it dials: a signer to the primary, a worker to every replica. */
async function admit(path: string, { name, role, orgs }: Peer, regions: readonly string[]): Promise<string> {
  const { peerId } = await createIdentityFile(join(path, `${name}.key`))
  const entry = `\n[[peers]]\nid = "${peerId}"\nname = "${name}"\nrole = "${role}"\n`
  const text = orgs === undefined ? entry : `${entry}orgs = ${JSON.stringify(orgs)}\n`
  const nodes = role === 'signer' ? ['primary'] : regions.map(replicaName)
  for (const node of nodes) appendFileSync(configPath(path, node), text)
  return peerId
}
