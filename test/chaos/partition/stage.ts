/** A cluster on hosts of its own: a primary, two regions with a replica each, and services beside every replica. */
import type { Signer } from '../../../primary/client/sdk.ts'
import type { HistoryEvent } from '../../history/event.ts'
import { Cluster, CLUSTER, freePort, type NodeFiles } from '../cluster.ts'
import { type Mutant, MUTANT_VARIABLE } from '../mutants/mutant.ts'
import { Namespaces, namespacesMissing } from '../network/namespaces.ts'
import type { Network } from '../network/network.ts'
import { Proxies } from '../network/proxies.ts'
import type { NodeProcess } from '../node-process.ts'
import { Asker } from './asker.ts'
import { FakeTime } from './fake-time.ts'

export const REGIONS = ['fra', 'sin'] as const
export type Region = (typeof REGIONS)[number]

export interface StageOptions {
  /** L, milliseconds. */
  readonly leaseMs: number
  readonly mutant?: Mutant
  /** Where the bug is: else in replicas and services, and the primary, which mints and acknowledges, stays sound. */
  readonly mutantAt?: 'primary'
  /** False: proxies, also where namespaces would work. */
  readonly namespaces?: boolean
}

interface Built {
  readonly network: Network
  readonly cluster: Cluster
  /** Where the services of a region reach its replica. */
  readonly doors: ReadonlyMap<string, string>
}

const PRELOAD = new URL('../mutants/preload.ts', import.meta.url).pathname
const READY_MS = 30_000

/** The host of the services of a region, apart from that of its replica: what is between them can be cut as well. */
export function servicesOf(region: string): string {
  return `${region}w`
}

export class Stage {
  readonly events: HistoryEvent[] = []
  readonly network: Network
  readonly cluster: Cluster
  readonly askers: readonly Asker[]
  readonly clocks: ReadonlyMap<string, FakeTime>
  readonly #imports: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  readonly #atPrimary: boolean
  readonly #nodes = new Map<string, NodeProcess>()
  #signer: Signer | undefined

  private constructor(options: StageOptions, { network, cluster, doors }: Built) {
    this.network = network
    this.cluster = cluster
    this.#imports = options.mutant === undefined ? [] : [PRELOAD]
    this.#env = options.mutant === undefined ? {} : { [MUTANT_VARIABLE]: JSON.stringify(options.mutant) }
    this.#atPrimary = options.mutantAt === 'primary'
    this.clocks = new Map(
      ['primary', ...REGIONS, ...askerNames()].map((name) => [name, FakeTime.at(cluster.root, name)]),
    )
    this.askers = REGIONS.flatMap((region) => this.#askersOf(region, doors.get(region) ?? ''))
  }

  static async set(options: StageOptions): Promise<Stage> {
    const network = await openNetwork(options.namespaces ?? true)
    const primarySettings = `[freshness]\nlease_ms = ${options.leaseMs}\nping_ms = ${options.leaseMs / 5}\n`
    const cluster = await Cluster.create({ replicas: REGIONS, network, workers: askerNames(), primarySettings })
    const doors = new Map<string, string>()
    for (const region of REGIONS) doors.set(region, await network.dialAddress(servicesOf(region), region))
    const stage = new Stage(options, { network, cluster, doors })
    try {
      await Promise.all([stage.startNode('primary'), ...REGIONS.map((region) => stage.startNode(region))])
      await Promise.all(stage.askers.map((asker) => asker.start()))
    } catch (error) {
      await stage.strike()
      throw error
    }
    return stage
  }

  async signer(): Promise<Signer> {
    this.#signer ??= await this.cluster.signer(20_000)
    return this.#signer
  }

  node(name: string): NodeProcess {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`no node runs on ${name}`)
    return node
  }

  async startNode(name: string): Promise<void> {
    const planted = this.#plantedIn(name === 'primary')
    const env = { ...planted.env, ...this.clocks.get(name)?.env }
    const { imports } = planted
    const node = this.cluster.start(this.#filesOf(name), { on: this.network.on(name), imports, env })
    this.#nodes.set(name, node)
    if (!(await node.ready(READY_MS))) throw new Error(`${name} ended:\n${node.log.join('\n')}`)
  }

  async killNode(name: string): Promise<void> {
    await this.node(name).kill()
    this.#nodes.delete(name)
  }

  /** Everything ends, and nothing is left of the network. */
  async strike({ keep = false }: { readonly keep?: boolean } = {}): Promise<void> {
    await Promise.all(this.askers.map((asker) => asker.stop()))
    await this.cluster.remove(keep)
    await this.network.remove()
  }

  #plantedIn(primary: boolean): {
    readonly env: Readonly<Record<string, string>>
    readonly imports: readonly string[]
  } {
    return primary === this.#atPrimary ? { env: this.#env, imports: this.#imports } : { env: {}, imports: [] }
  }

  #filesOf(name: string): NodeFiles {
    const found = [this.cluster.primary, ...this.cluster.replicas].find((node) => node.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  /** Two services a region. */
  #askersOf(region: Region, address: string): readonly Asker[] {
    const replicas = [{ address, peerId: this.#filesOf(region).peerId }]
    return NUMBERS.map((number) => {
      const name = askerName(region, number)
      const pace = { concurrency: 2, pauseMs: 2, timeoutMs: 300 }
      const identity = this.cluster.workerIdentity(name)
      const options = { name, region, host: servicesOf(region), cluster: CLUSTER, identity, replicas, ...pace }
      const { env: planted, imports } = this.#plantedIn(false)
      const env = { ...planted, ...this.clocks.get(name)?.env }
      const start = { on: this.network.on(servicesOf(region)), imports, env }
      return new Asker(options, start, (event) => this.events.push(event))
    })
  }
}

const NUMBERS = [1, 2] as const

function askerName(region: string, number: number): string {
  return `${region}-worker-${number}`
}

function askerNames(): readonly string[] {
  return REGIONS.flatMap((region) => NUMBERS.map((number) => askerName(region, number)))
}

async function openNetwork(namespaces: boolean): Promise<Network> {
  if (namespaces && namespacesMissing() === undefined) {
    return Namespaces.create(['primary', ...REGIONS, ...REGIONS.map(servicesOf)])
  }
  const ports = new Map<string, number>()
  for (const name of ['primary', ...REGIONS]) ports.set(name, await freePort())
  return new Proxies(ports)
}
