/** The simulated cluster of one run, in one process: machines, nodes, the services and the operator that use them. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { signerOver, type Signer } from '../../../primary/signer/signer.ts'
import { CachingVerifier } from '../../../replica/worker/caching-verifier.ts'
import { networkLinks } from '../../../replica/worker/links.ts'
import { PersistentClient } from '../../../shared/channel/persistent-client.ts'
import { ArchiveLink } from '../archive/link.ts'
import { ArchiveChecker } from '../archive/archive-checker.ts'
import { authorityKeyIn } from '../archive/authority-key.ts'
import type { HistoryEvent } from '../../history/event.ts'
import { Network } from '../network/network.ts'
import { randomFor } from '../time/entropy.ts'
import { Scheduler } from '../time/scheduler.ts'
import { Trace } from '../trace.ts'
import {
  addressOf,
  CLUSTER,
  identityOf,
  ipOf,
  MACHINES,
  REGIONS,
  servicesOf,
  SUCCESSOR,
  type ArchivePlan,
  type Freshness,
  type Region,
} from './members.ts'
import { nodeLog } from './log.ts'
import { type Life, Machine, type World } from './machine.ts'
import { Slot } from './slot.ts'

/** A primary had a successor that did not get all that it knew. */
export interface Loss {
  /** From then on nobody promised what the earlier one said. */
  readonly atMs: number
  /** The earlier one is gone. */
  untilMs: number
  /** Of the successor. */
  readonly epoch: number
  /** It knows nothing of what was acknowledged: a restore from an old copy, without evidence from other nodes. */
  readonly isBlind?: boolean
}

export interface TestClusterOptions {
  readonly seed: number
  readonly freshness: Freshness
  /** Of this run alone; emptied at its end. */
  readonly folder: string
  /** Folder with what the disk of every node holds at first, by name; an empty disk where there is none. */
  readonly images: string
  /** Unix milliseconds at the beginning. */
  readonly epochMs: number
  /** Undefined: nothing is archived. */
  readonly archive?: ArchivePlan | undefined
}

/** With the stack, which is the same in every run. */
export function textOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
}

/** How far the dates of two machines are apart at first, at most. */
const OFFSET_MS = 20
/** No crystal uses all of the error that the bound allows for. */
const RATE_ERROR = 0.0045
const SIGN_TIMEOUT_MS = 1_500
/** What a primary ends with that was shown a later position with the authority's signature, or a later claim in the archive. */
const FENCED = ['position_diverged', 'archive_fenced'] as const
export const VERIFY_TIMEOUT_MS = 250

export class TestCluster {
  readonly seed: number
  readonly scheduler: Scheduler = new Scheduler((error, owner) => {
    // What a process does after its machine has lost power nobody sees.
    if (owner.runsFromMs(this.scheduler.nowMs) !== Infinity) this.problem(`a crash: ${textOf(error)}`)
  })
  readonly network: Network
  readonly trace: Trace
  readonly events: HistoryEvent[] = []
  readonly slots: ReadonlyMap<string, Slot>
  /** The machine of the primary: after a succession another one. */
  leader: string = 'primary'
  readonly signer: Signer
  readonly operator: Life
  readonly services: ReadonlyMap<Region, { readonly life: Life; readonly verifier: CachingVerifier }>
  readonly problems: string[] = []
  /** What an earlier epoch alone knew, and promised nobody. */
  readonly losses: Loss[] = []
  /** While the clocks are wrong by years. */
  mintsNothing = false
  /** Operations that are still running. */
  readonly operations: Set<string> = new Set()
  /** Undefined where nothing is archived. */
  readonly archive:
    | { readonly plan: ArchivePlan; readonly link: ArchiveLink; readonly checker: ArchiveChecker }
    | undefined
  /** Work on files that stand still: no time passes meanwhile. */
  readonly #aside: (() => Promise<void>)[] = []
  readonly #options: TestClusterOptions
  readonly #machines = new Map<string, Machine>()

  constructor(options: TestClusterOptions) {
    const { seed, folder } = options
    this.#options = options
    this.seed = seed
    this.trace = new Trace(() => this.scheduler.nowMs, folder)
    this.network = new Network(this.scheduler, randomFor(seed, 'network'))
    mkdirSync(folder, { recursive: true })
    this.#place()
    this.archive = this.#openArchive()
    this.slots = new Map(['primary', SUCCESSOR, ...REGIONS].map((name) => [name, this.#slot(name)]))
    this.operator = this.machine('operator').begin()
    this.signer = this.#openSigner()
    this.services = new Map(REGIONS.map((region) => [region, this.#openServices(region)]))
  }

  get freshness(): Freshness {
    return this.#options.freshness
  }

  get folder(): string {
    return this.#options.folder
  }

  /** What an operator of this cluster has written down. */
  get authorityKey(): Uint8Array {
    return authorityKeyIn(join(this.#options.images, 'primary'))
  }

  /** `primary` is the machine that leads now. */
  machine(name: string): Machine {
    const machine = this.#machines.get(this.placeOf(name))
    if (machine === undefined) throw new Error(`there is no machine ${name}`)
    return machine
  }

  placeOf(name: string): string {
    return name === 'primary' ? this.leader : name
  }

  slot(name: string): Slot {
    const slot = this.slots.get(this.placeOf(name))
    if (slot === undefined) throw new Error(`no node runs on ${name}`)
    return slot
  }

  /** What must not happen in any run, whatever is done to the cluster. */
  problem(what: string): void {
    this.problems.push(what)
    this.trace.say('problem', what)
  }

  /** Done before anything else happens in the cluster. */
  aside(work: () => Promise<void>): void {
    this.#aside.push(work)
  }

  /** Lets time pass; `stop` is asked between two calls. */
  async runUntil(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    for (;;) {
      await this.scheduler.runUntil(untilMs, () => this.#aside.length > 0 || stop())
      const work = this.#aside.shift()
      if (work === undefined) return
      await work()
    }
  }

  startAll(): void {
    for (const [name, slot] of this.slots)
      if (name !== SUCCESSOR) this.scheduler.at(0, this.machine(name).begin(), () => slot.start())
  }

  /** Ends every process at once and removes the folder of the run. */
  close(): void {
    for (const slot of this.slots.values()) if (slot.runs) slot.abandon()
    this.operator.end()
    for (const { life } of this.services.values()) life.end()
    rmSync(this.#options.folder, { recursive: true, force: true })
  }

  #place(): void {
    const { seed, epochMs } = this.#options
    const random = randomFor(seed, 'machines')
    const world: World = { seed, scheduler: this.scheduler, network: this.network }
    for (const name of MACHINES) {
      const drawn = name === SUCCESSOR ? randomFor(seed, name) : random
      const around = (most: number): number => (2 * drawn.fraction() - 1) * most
      const clock = { rate: 1 + around(RATE_ERROR), epochMs: epochMs + around(OFFSET_MS) }
      const machine = new Machine({ name, address: ipOf(name), ...clock }, world)
      this.#machines.set(name, machine)
      this.network.attach(machine)
    }
    const far = (): [number, number] => [2 + random.fraction() * 60, random.fraction() * 8]
    this.network.join('operator', 'primary', 0.3, 0.3)
    this.network.join('primary', 'primary', 0.05, 0.05)
    for (const region of REGIONS) {
      this.network.join(region, 'primary', ...far())
      this.network.join(servicesOf(region), region, 0.2, 0.3)
    }
    this.network.joinLike('primary', SUCCESSOR)
  }

  #slot(name: string): Slot {
    const { folder, images, freshness, seed } = this.#options
    const isPrimary = name === 'primary' || name === SUCCESSOR
    return new Slot({
      role: isPrimary ? 'primary' : 'replica',
      machine: this.machine(name),
      network: this.network,
      folder,
      image: join(images, name),
      freshness,
      archive: isPrimary ? this.archive : undefined,
      log: nodeLog((line) => this.trace.say(name, line)),
      random: randomFor(seed, `disk of ${name}`),
      onFailed: (what) => this.#ended(name, what),
      onCrashed: (crashed) => {
        const checker = isPrimary ? this.archive?.checker : undefined
        if (checker !== undefined) this.aside(() => checker.checkAfterCrash(crashed))
      },
    })
  }

  /** That it has a successor a primary may find out; that ends it. */
  #ended(name: string, what: string): void {
    const isFenced = name === 'primary' && this.leader !== name && FENCED.some((code) => what.includes(code))
    if (!isFenced) return this.problem(what)
    this.trace.say(name, what)
    const slot = this.slots.get(name)
    if (slot?.runs === true) slot.kill()
  }

  #openArchive(): TestCluster['archive'] {
    const { archive: plan, folder, seed } = this.#options
    if (plan === undefined) return undefined
    const onProblem = (what: string): void => this.problem(what)
    const link = new ArchiveLink(randomFor(seed, 'way to the archive'), plan.bucket, onProblem)
    const checker = new ArchiveChecker({
      plan,
      publicKey: this.authorityKey,
      folder: join(folder, 'witness'),
      random: randomFor(seed, 'witness'),
      nowMs: () => this.scheduler.nowMs,
      onProblem,
      aside: (work) => this.aside(work),
      data: () => this.slot('primary').data ?? this.slot('primary').image,
    })
    return { plan, link, checker }
  }

  #openSigner(): Signer {
    const { host } = this.operator
    const to = { address: addressOf('primary'), peerId: identityOf('primary').peerId, cluster: CLUSTER }
    const client = new PersistentClient({ ...to, identity: identityOf('operator'), channel: 'sign', host })
    return signerOver(client, { timeoutMs: SIGN_TIMEOUT_MS, clock: host.clock })
  }

  #openServices(region: Region): { life: Life; verifier: CachingVerifier } {
    const name = servicesOf(region)
    const life = this.machine(name).begin()
    const replicas = [{ address: addressOf(region), peerId: identityOf(region).peerId }]
    const options = { cluster: CLUSTER, replicas, region, timeoutMs: VERIFY_TIMEOUT_MS }
    return { life, verifier: new CachingVerifier(options, networkLinks(identityOf(name)), life.host) }
  }
}

/** Never rejects. */
export async function orProblem<T>(cluster: TestCluster, what: string, work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => cluster.problem(`${what}: ${textOf(error)}`) as undefined)
}
