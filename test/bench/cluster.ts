/** A cluster for the benchmark: primary, replica and client, each in a process of its own, on loopback. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { identityFromSeed } from '../../shared/channel/identity.ts'
import { NODE_FLAGS } from '../../ops/cluster/node-process.ts'
import type { ClientCalls } from './client-child.ts'
import type { GreedySetup } from './greedy-child.ts'
import { GREEDY_ORG } from './load.ts'
import type { PrimaryCalls } from './primary-child.ts'
import { Child } from './process.ts'
import type { ReplicaCalls } from './replica-child.ts'

const CLUSTER = 'bench'
const LOOPBACK = '127.0.0.1:0'

export interface ClusterOptions {
  /** More options of Node for primary and replica. */
  readonly profile?: readonly string[]
  /** Folder of the published form of this folder; without it the nodes run unbuilt. */
  readonly build?: string
  /** `[archive]` of the primary; its default without it. */
  readonly archive?: Readonly<Record<string, unknown>>
}

interface Member {
  readonly seed: Uint8Array
  readonly peerId: string
}

export class Cluster {
  readonly primary: Child<PrimaryCalls>
  readonly client: Child<ClientCalls>
  /** For a caller of its own, with its own org. */
  readonly greedy: GreedySetup
  replica: Child<ReplicaCalls>
  readonly #replicaSetup: Parameters<ReplicaCalls['start']>[0]
  readonly #startReplica: () => Child<ReplicaCalls>

  private constructor(
    parts: Pick<Cluster, 'primary' | 'client' | 'replica' | 'greedy'>,
    setup: Parameters<ReplicaCalls['start']>[0],
    startReplica: () => Child<ReplicaCalls>,
  ) {
    this.primary = parts.primary
    this.client = parts.client
    this.greedy = parts.greedy
    this.replica = parts.replica
    this.#replicaSetup = setup
    this.#startReplica = startReplica
  }

  /** Resolves when an org exists and the replica has it. */
  static async start(folder: string, { profile = [], build, archive = {} }: ClusterOptions = {}): Promise<Cluster> {
    const kek = randomBytes(32).toString('hex')
    const [primary, replica, signer, worker] = [await member(), await member(), await member(), await member()]
    const greedy = await member()
    const flags = [...NODE_FLAGS, ...profile]
    const startReplica = (): Child<ReplicaCalls> => new Child('replica-child.ts', flags, build)
    const children = {
      primary: new Child<PrimaryCalls>('primary-child.ts', flags, build),
      replica: startReplica(),
      client: new Child<ClientCalls>('client-child.ts'),
    }
    const common = { cluster: CLUSTER, identity: '/none', listen: LOOPBACK, kek: { env: 'NONE' } }
    const peers = [
      { id: replica.peerId, name: 'fra', role: 'replica' },
      { id: signer.peerId, name: 'signer', role: 'signer', orgs: ['*'] },
      { id: greedy.peerId, name: 'greedy', role: 'signer', orgs: [GREEDY_ORG] },
    ]
    const primaryConfig = { ...common, data: join(folder, 'primary'), alone: true, peers, archive }
    const at = await children.primary.call('start', { config: primaryConfig, seed: primary.seed, kek })
    const replicaConfig = {
      ...common,
      region: 'fra',
      data: join(folder, 'replica'),
      primary: { address: at.address, peer_id: at.peerId },
      peers: [
        { id: worker.peerId, name: 'worker', role: 'worker' },
        { id: greedy.peerId, name: 'greedy', role: 'worker' },
      ],
    }
    const setup = { config: replicaConfig, seed: replica.seed, kek }
    const there = await children.replica.call('start', setup)
    const seeds = { signerSeed: signer.seed, workerSeed: worker.seed }
    await children.client.call('start', { cluster: CLUSTER, primary: at, replica: there, ...seeds })
    // The last org is transaction 3: the first makes the database.
    await children.replica.call('reached', 3)
    const other = { cluster: CLUSTER, seed: greedy.seed, primary: at, replica: there }
    return new Cluster({ ...children, greedy: other }, setup, startReplica)
  }

  /** Ends the replica in order and starts it again on what it has on disk. */
  async restartReplica(): Promise<void> {
    await this.replica.end()
    this.replica = this.#startReplica()
    await this.replica.call('start', this.#replicaSetup)
  }

  async end(): Promise<void> {
    await this.client.end()
    await this.replica.end()
    await this.primary.end()
  }
}

async function member(): Promise<Member> {
  const seed = randomBytes(32)
  const { peerId } = await identityFromSeed(seed)
  return { seed, peerId }
}
