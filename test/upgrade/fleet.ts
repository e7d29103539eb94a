/** A primary and two replicas under load, each of which can be replaced by a process of another version. */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createSigner } from '../../primary/signer/sdk.ts'
import { createVerifier } from '../../replica/worker/sdk.ts'
import { Cluster, CLUSTER, type NodeFiles } from '../chaos/cluster.ts'
import { copyNode, openSound } from '../chaos/disk.ts'
import { judgePrimary, judgeReplica } from '../chaos/judge.ts'
import { Ledger } from '../chaos/ledger.ts'
import type { NodeProcess } from '../chaos/node-process.ts'
import { Random } from '../chaos/random.ts'
import { commandLine } from '../integration/cli/command.ts'
import type { Installed } from './installed.ts'
import { type LoadOptions, ORG, UpgradeLoad } from './load.ts'

/** `new` is the version of this checkout. */
export type Version = 'old' | 'new'

const READY_MS = 30_000
const SETTLE_MS = 60_000
const POLL_MS = 50
const CALL_TIMEOUT_MS = 4_000
/** Short, so that what waits for a lease to run out is over soon. */
const FRESHNESS = '[freshness]\nlease_ms = 2000\nping_ms = 200\n'
/** Above the bound B of those leases. */
const BOUND_MS = 2_500
/** Of each kind of work, before a step counts as survived. */
const ENOUGH = 3
const VERIFIED_AT_ONCE = 50

export class Fleet {
  readonly primary: NodeFiles
  readonly fra: NodeFiles
  readonly sin: NodeFiles
  readonly #cluster: Cluster
  readonly #old: Installed
  readonly #running = new Map<NodeFiles, NodeProcess>()
  readonly #ledger = new Ledger()
  #load: UpgradeLoad | undefined
  #clients: LoadOptions | undefined

  private constructor(cluster: Cluster, old: Installed) {
    const [fra, sin] = cluster.replicas
    if (fra === undefined || sin === undefined) throw new Error('a fleet has two replicas')
    this.#cluster = cluster
    this.#old = old
    this.primary = cluster.primary
    this.fra = fra
    this.sin = sin
  }

  /** All of it runs the old version, and the load is on. */
  static async start(old: Installed): Promise<Fleet> {
    const cluster = await Cluster.create({ replicas: ['fra', 'sin'], primarySettings: FRESHNESS })
    const fleet = new Fleet(cluster, old)
    try {
      for (const node of fleet.nodes) await fleet.run(node, 'old')
      await until('writes are open', async () => (await cluster.primaryStatus()).writes === 'open')
      await fleet.#startLoad()
      return fleet
    } catch (error) {
      await fleet.remove()
      throw error
    }
  }

  async run(node: NodeFiles, version: Version): Promise<void> {
    const process = this.#spawn(node, version)
    if (!(await process.ready(READY_MS))) throw new Error(`${node.name} ended:\n${process.log.join('\n')}`)
    this.#running.set(node, process)
  }

  /** In order: what it did not finish is an error. */
  async stop(node: NodeFiles): Promise<void> {
    const process = this.#running.get(node)
    this.#running.delete(node)
    process?.signal('SIGTERM')
    const ending = await process?.endedWithin(READY_MS)
    if (ending?.code !== 0) throw new Error(`${node.name} did not stop in order:\n${process?.log.join('\n')}`)
  }

  async replace(node: NodeFiles, version: Version): Promise<void> {
    await this.stop(node)
    await this.run(node, version)
  }

  /** What a node that must not start, or must not go on, says at its end. */
  async endOf(node: NodeFiles, version: Version): Promise<string> {
    return this.#lastWords(node, this.#spawn(node, version))
  }

  /** The same of one that runs. */
  async endOfRunning(node: NodeFiles): Promise<string> {
    const process = this.#running.get(node)
    this.#running.delete(node)
    if (process === undefined) throw new Error(`${node.name} does not run`)
    return this.#lastWords(node, process)
  }

  /** Every client of both versions gets work done from now on, and no verdict is wrong. */
  async survives(what: string): Promise<void> {
    const load = this.#load
    if (load === undefined || this.#clients === undefined) throw new Error('no load')
    const { signers, verifiers } = this.#clients
    const work = [
      ...signers.flatMap(({ name }) => [
        `minted by ${name}`,
        `revoked by ${name}, durable`,
        `revoked by ${name}, global`,
      ]),
      ...verifiers.map(({ name }) => `verified at ${name}`),
    ]
    const before = new Map(work.map((kind) => [kind, load.count(kind)]))
    const missing = (): readonly string[] => work.filter((kind) => load.count(kind) < (before.get(kind) ?? 0) + ENOUGH)
    await until(what, () => {
      if (load.failure !== undefined) throw load.failure
      return missing().length === 0
    }).catch((error: unknown) => {
      throw new Error(`${what}: ${missing().join('; ')}\n${this.#logs()}`, { cause: error })
    })
  }

  get status(): ReturnType<Cluster['primaryStatus']> {
    return this.#cluster.primaryStatus()
  }

  /** Of the database on the primary's disk. */
  get schema(): number {
    return schemaOf(join(copyNode(this.primary.data, join(this.primary.folder, 'looked-at')), 'macaroond.db'))
  }

  /** Schema of what this version restores from the copy of a replica that is stopped: nothing of it may be unread. */
  async schemaRestoredFrom(replica: NodeFiles, authorityKey: string): Promise<number> {
    const output = join(replica.folder, 'restored.db')
    const args = ['--from-replica', replica.data, '--key', authorityKey, '--output', output, '--accept-head']
    const { status, stdout, stderr } = await commandLine(['restore', ...args])
    if (status !== 0) throw new Error(`a restore from ${replica.name} ends with ${status}: ${stdout} ${stderr}`)
    return schemaOf(output)
  }

  /** Ends the load, asks both regions of every token, stops all nodes, and holds their disks against what was acknowledged. */
  async judge(): Promise<void> {
    await this.#load?.stop()
    await setTimeout(BOUND_MS)
    await this.#judgeVerdicts()
    for (const node of this.nodes.toReversed()) await this.stop(node)
    const copies = this.nodes.map((node) => copyNode(node.data, join(node.folder, 'judged')))
    const [primary = '', ...replicas] = copies
    judgePrimary(primary, this.#ledger)
    for (const replica of replicas) judgeReplica(replica, this.#ledger, { complete: true })
  }

  async remove(): Promise<void> {
    await this.#load?.stop().catch(() => undefined)
    const { signers = [], verifiers = [] } = this.#clients ?? {}
    await Promise.all([...signers, ...verifiers].map(({ client }) => client.close()))
    await this.#cluster.remove(false)
  }

  get nodes(): readonly NodeFiles[] {
    return [this.primary, this.fra, this.sin]
  }

  #spawn(node: NodeFiles, version: Version): NodeProcess {
    return this.#cluster.start(node, version === 'old' ? { program: this.#old.program } : {})
  }

  async #lastWords(node: NodeFiles, process: NodeProcess): Promise<string> {
    const ending = await process.endedWithin(READY_MS)
    if (ending === undefined) throw new Error(`${node.name} goes on:\n${process.log.join('\n')}`)
    if (ending.code === 0) throw new Error(`${node.name} ended as if it had been asked to`)
    return process.log.join('\n')
  }

  async #startLoad(): Promise<void> {
    const { operatorSeed: identity } = this.#cluster
    const common = { cluster: CLUSTER, identity, timeoutMs: CALL_TIMEOUT_MS }
    const sdks = [
      ['an old client', this.#old],
      ['a new client', { createSigner, createVerifier }],
    ] as const
    const signers = sdks.map(async ([name, sdk]) => {
      const client = await sdk.createSigner({ ...common, primary: addressOf(this.primary) })
      return { name, client }
    })
    const verifiers = [this.fra, this.sin].flatMap((node) =>
      sdks.map(async ([name, sdk]) => {
        const client = await sdk.createVerifier({ ...common, replicas: [addressOf(node)], cache: false })
        return { name: `${node.name} by ${name}`, client }
      }),
    )
    this.#clients = {
      signers: await Promise.all(signers),
      verifiers: await Promise.all(verifiers),
      ledger: this.#ledger,
      random: new Random(1),
      boundMs: BOUND_MS,
    }
    await this.#clients.signers[0]?.client.createOrg(ORG)
    this.#load = new UpgradeLoad(this.#clients)
    this.#load.start()
  }

  /** Every replica accepts all that was not revoked, and refuses the rest. */
  async #judgeVerdicts(): Promise<void> {
    const [load, { verifiers = [] } = {}] = [this.#load, this.#clients]
    const { tokens } = this.#ledger
    for (const verifier of verifiers) {
      for (let start = 0; start < tokens.length; start += VERIFIED_AT_ONCE) {
        const some = tokens.slice(start, start + VERIFIED_AT_ONCE)
        const answers = await Promise.all(some.map(async (known) => load?.verify(verifier, known)))
        const silent = answers.filter((answer) => answer === 'unavailable').length
        if (silent > 0) throw new Error(`${verifier.name}: ${silent} of ${some.length} are unavailable at rest`)
      }
    }
  }

  #logs(): string {
    return [...this.#running].map(([node, { log }]) => `${node.name}:\n${log.join('\n')}`).join('\n')
  }
}

function schemaOf(database: string): number {
  const db = openSound(database)
  const schema = db.prepare<[], number>('SELECT schema FROM meta').pluck().get() ?? 0
  db.close()
  return schema
}

function addressOf({ address, peerId }: NodeFiles): Pick<NodeFiles, 'address' | 'peerId'> {
  return { address, peerId }
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + SETTLE_MS
  for (;;) {
    if (await condition()) return
    if (Date.now() > deadline) throw new Error(`still not so after ${SETTLE_MS} ms: ${what}`)
    await setTimeout(POLL_MS)
  }
}
