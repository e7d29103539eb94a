/** A cluster under test on hosts of its own: a primary, two regions with a replica each, and two services beside every replica. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Signer } from '../../../primary/signer/sdk.ts'
import type { HistoryEvent } from '../../history/event.ts'
import { Cluster, CLUSTER, freePort, type NodeFiles } from '../cluster.ts'
import { type Mutant, MUTANT_VARIABLE } from '../mutants/mutant.ts'
import { LateLink } from '../network/late-link.ts'
import { Namespaces, namespacesMissing } from '../network/namespaces.ts'
import type { Network } from '../network/network.ts'
import { Proxies } from '../network/proxies.ts'
import type { Ending, NodeProcess, NodeStart } from '../node-process.ts'
import { ServiceProcess } from './service-process.ts'
import { FakeTime } from './fake-time.ts'

export const REGIONS = ['fra', 'sin'] as const
export type Region = (typeof REGIONS)[number]

export interface TestbedOptions {
  /** L, milliseconds. */
  readonly leaseMs: number
  readonly mutant?: Mutant
  /** Where the bug is: else in replicas and services, and the primary, which mints and acknowledges, stays sound. */
  readonly mutantAt?: 'primary'
  /** What is between a region's replica and its services can be made slow. */
  readonly slowLinks?: boolean
  /** False: only services that cache, which ask their replica often enough for most. */
  readonly probes?: boolean
  /** False: proxies, also where namespaces would work. */
  readonly namespaces?: boolean
  /** Further settings of the primary, as TOML. */
  readonly settings?: string
  /** What else the process of a node begins with. */
  readonly start?: (name: string) => Required<Pick<NodeStart, 'on' | 'env'>>
  /** How long services wait for an answer. */
  readonly timeoutMs?: number
}

interface Built {
  readonly network: Network
  readonly cluster: Cluster
  /** Where the services of a region reach its replica. */
  readonly addresses: ReadonlyMap<string, string>
  readonly lateLinks: ReadonlyMap<string, LateLink>
}

const PRELOAD = new URL('../mutants/preload.ts', import.meta.url).pathname
const READY_MS = 30_000

/** The host of the services of a region, apart from that of its replica: what is between them can be cut as well. */
export function servicesOf(region: string): string {
  return `${region}w`
}

export class Testbed {
  readonly events: HistoryEvent[] = []
  readonly network: Network
  readonly cluster: Cluster
  readonly services: readonly ServiceProcess[]
  readonly clocks: ReadonlyMap<string, FakeTime>
  /** By region. */
  readonly lateLinks: ReadonlyMap<string, LateLink>
  /** Aborted once the run has seen everything it needs. Every `pause` then ends at once. */
  readonly seen: AbortController = new AbortController()
  readonly #imports: readonly string[]
  readonly #env: Readonly<Record<string, string>>
  readonly #atPrimary: boolean
  readonly #options: TestbedOptions
  readonly #nodes = new Map<string, NodeProcess>()
  #signer: Signer | undefined

  private constructor(options: TestbedOptions, { network, cluster, addresses, lateLinks }: Built) {
    this.network = network
    this.lateLinks = lateLinks
    this.cluster = cluster
    this.#imports = options.mutant === undefined ? [] : [PRELOAD]
    this.#env = options.mutant === undefined ? {} : { [MUTANT_VARIABLE]: JSON.stringify(options.mutant) }
    this.#options = options
    this.#atPrimary = options.mutantAt === 'primary'
    this.clocks = new Map(
      ['primary', ...REGIONS, ...serviceNames()].map((name) => [name, FakeTime.at(cluster.root, name)]),
    )
    this.services = REGIONS.flatMap((region) => this.#servicesIn(region, addresses.get(region) ?? ''))
  }

  static async create(options: TestbedOptions): Promise<Testbed> {
    const network = await openNetwork(options.namespaces ?? true)
    const { leaseMs, settings = '' } = options
    const primarySettings = `[freshness]\nlease_ms = ${leaseMs}\nping_ms = ${leaseMs / 5}\n${settings}`
    const cluster = await Cluster.create({ replicas: REGIONS, network, workers: serviceNames(), primarySettings })
    const addresses = new Map<string, string>()
    for (const region of REGIONS) addresses.set(region, await network.dialAddress(servicesOf(region), region))
    const lateLinks = new Map<string, LateLink>()
    for (const [region, to] of options.slowLinks === true ? addresses : []) {
      const link = await LateLink.open({ on: network.on(servicesOf(region)), to })
      lateLinks.set(region, link)
      addresses.set(region, link.address)
    }
    const testbed = new Testbed(options, { network, cluster, addresses, lateLinks })
    try {
      await Promise.all([testbed.startNode('primary'), ...REGIONS.map((region) => testbed.startNode(region))])
      await Promise.all(testbed.services.map((service) => service.start()))
    } catch (error) {
      await testbed.close()
      throw error
    }
    return testbed
  }

  async pause(ms: number): Promise<void> {
    const { signal } = this.seen
    await delay(ms, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
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
    const more = this.#options.start?.(name)
    const env = { ...planted.env, ...this.clocks.get(name)?.env, ...more?.env }
    const { imports } = planted
    const on = [...this.network.on(name), ...(more?.on ?? [])]
    const node = this.cluster.start(this.files(name), { on, imports, env })
    this.#nodes.set(name, node)
    if (!(await node.ready(READY_MS))) throw new Error(`${name} ended:\n${node.log.join('\n')}`)
  }

  async killNode(name: string): Promise<void> {
    await this.node(name).kill()
    this.#nodes.delete(name)
  }

  /** In order, as an operator would; how each ended. */
  async stopNodes(): Promise<readonly Ending[]> {
    const nodes = [...this.#nodes.values()]
    for (const node of nodes) node.signal('SIGTERM')
    return Promise.all(nodes.map((node) => node.ended))
  }

  /** Stops every process and removes the network. */
  async close({ keep = false }: { readonly keep?: boolean } = {}): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop()))
    for (const link of this.lateLinks.values()) await link.close()
    await this.cluster.remove(keep)
    await this.network.remove()
  }

  #plantedIn(primary: boolean): {
    readonly env: Readonly<Record<string, string>>
    readonly imports: readonly string[]
  } {
    return primary === this.#atPrimary ? { env: this.#env, imports: this.#imports } : { env: {}, imports: [] }
  }

  files(name: string): NodeFiles {
    const found = [this.cluster.primary, ...this.cluster.replicas].find((node) => node.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  /** An ordinary service with its cache, and a probe that asks the replica every time, so staleness of the cache shows. */
  #servicesIn(region: Region, address: string): readonly ServiceProcess[] {
    const replicas = [{ address, peerId: this.files(region).peerId }]
    const { probes = true, timeoutMs = 300 } = this.#options
    return SERVICES.slice(0, probes ? 2 : 1).map((service) => {
      const name = `${region}-${service}`
      const cache = isCaching(name)
      const pace = { ...(cache ? WORKER_PACE : PROBE_PACE), timeoutMs, cache }
      const identity = this.cluster.workerIdentity(name)
      const options = { name, region, host: servicesOf(region), cluster: CLUSTER, identity, replicas, ...pace }
      const { env: planted, imports } = this.#plantedIn(false)
      const env = { ...planted, ...this.clocks.get(name)?.env }
      const start = { on: this.network.on(servicesOf(region)), imports, env }
      return new ServiceProcess(options, start, (event) => this.events.push(event))
    })
  }
}

const PROBE_PACE = { concurrency: 2, pauseMs: 3 }
/** While the replica is out of reach, each token that is not cached keeps one of the concurrent calls waiting. */
const WORKER_PACE = { concurrency: 12, pauseMs: 20 }
const SERVICES = ['worker', 'probe'] as const

export function isCaching(service: string): boolean {
  return service.endsWith('-worker')
}

function serviceNames(): readonly string[] {
  return REGIONS.flatMap((region) => SERVICES.map((service) => `${region}-${service}`))
}

async function openNetwork(namespaces: boolean): Promise<Network> {
  if (namespaces && namespacesMissing() === undefined) {
    return Namespaces.create(['primary', ...REGIONS, ...REGIONS.map(servicesOf)])
  }
  const ports = new Map<string, number>()
  for (const name of ['primary', ...REGIONS]) ports.set(name, await freePort())
  return new Proxies(ports)
}
