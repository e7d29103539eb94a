/** Three regions and their workers, for what goes from the primary to all of them: every node a process of its own, on loopback. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { identityFromSeed } from '../../shared/channel/identity.ts'
import { NODE_FLAGS } from '../../ops/cluster/node-process.ts'
import type { ClientCalls } from './client-child.ts'
import type { PrimaryCalls } from './primary-child.ts'
import { Child } from './process.ts'
import type { ReplicaCalls } from './replica-child.ts'
import type { WorkersCalls } from './workers-child.ts'

const CLUSTER = 'bench'
const REGIONS = ['fra', 'sin', 'iad']

interface Region {
  readonly replica: Child<ReplicaCalls>
  readonly workers: Child<WorkersCalls>
}

export class Fleet {
  readonly primary: Child<PrimaryCalls>
  readonly client: Child<ClientCalls>
  readonly regions: readonly Region[]

  private constructor({ primary, client, regions }: Pick<Fleet, 'primary' | 'client' | 'regions'>) {
    this.primary = primary
    this.client = client
    this.regions = regions
  }

  /** Resolves when an org exists and every worker holds a lease. */
  static async start(folder: string, workersInAll: number): Promise<Fleet> {
    const common = { cluster: CLUSTER, identity: '/none', listen: '127.0.0.1:0', kek: { env: 'NONE' } }
    const kek = randomBytes(32).toString('hex')
    const member = async () => {
      const seed = randomBytes(32)
      return { seed, id: (await identityFromSeed(seed)).peerId }
    }
    const [own, signer, worker] = [await member(), await member(), await member()]
    const replicas = await Promise.all(REGIONS.map(async (region) => ({ region, ...(await member()) })))
    const peers = [
      ...replicas.map(({ region, id }) => ({ id, name: region, role: 'replica', region })),
      { id: signer.id, name: 'signer', role: 'signer', orgs: ['*'] },
    ]
    const primary = new Child<PrimaryCalls>('primary-child.ts', NODE_FLAGS)
    const config = { ...common, data: join(folder, 'primary'), alone: true, peers }
    const at = await primary.call('start', { config, seed: own.seed, kek })
    const regions = await Promise.all(
      replicas.map(async ({ region, seed }) => {
        const replica = new Child<ReplicaCalls>('replica-child.ts', NODE_FLAGS)
        const source = { address: at.address, peer_id: at.peerId }
        const listed = [{ id: worker.id, name: 'worker', role: 'worker' }]
        const own = { ...common, region, data: join(folder, region), primary: source, peers: listed }
        return { replica, at: await replica.call('start', { config: own, seed, kek }) }
      }),
    )
    const client = new Child<ClientCalls>('client-child.ts')
    const [first] = regions
    if (first === undefined) throw new Error('there are no regions')
    const seeds = { signerSeed: signer.seed, workerSeed: worker.seed }
    await client.call('start', { cluster: CLUSTER, primary: at, replica: first.at, ...seeds })
    const manned = regions.map(async ({ replica, at: address }, index) => {
      const workers = new Child<WorkersCalls>('workers-child.ts')
      const count = Math.ceil((workersInAll - index) / regions.length)
      await workers.call('start', { cluster: CLUSTER, replica: address, seed: worker.seed, count })
      return { replica, workers }
    })
    return new Fleet({ primary, client, regions: await Promise.all(manned) })
  }

  async end(): Promise<void> {
    await this.client.end()
    await Promise.all(this.regions.map(({ workers }) => workers.end()))
    await Promise.all(this.regions.map(({ replica }) => replica.end()))
    await this.primary.end()
  }
}
