/** One cluster through rounds of kills under load; at the end of every round both nodes come to rest and their files are compared. */
import { setTimeout } from 'node:timers/promises'
import { expectAnswers, requireSameBytes, stopInOrder } from './at-rest.ts'
import type { Cell, Disturbance, Histogram } from './cells.ts'
import { Cluster } from './cluster.ts'
import { judgePrimary, judgeReplica } from './judge.ts'
import { Ledger } from './ledger.ts'
import { Load } from './load.ts'
import { Random } from './random.ts'
import { KillLoop } from './kill-loop.ts'

export interface CampaignOptions {
  readonly seed: number
  readonly histogram: Histogram
  /** Each round's cells, for the primary and for the replica; the two die independently of each other. */
  readonly rounds: readonly { readonly primary: readonly Cell[]; readonly replica: readonly Cell[] }[]
}

export interface CampaignResult {
  readonly ledger: Ledger
  readonly comparisons: number
  readonly missed: readonly Cell[]
}

const SETTLE_MS = 20_000
const POLL_MS = 50

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const campaign = await Campaign.create(options)
  let failed = true
  try {
    const result = await campaign.run()
    failed = false
    return result
  } finally {
    await campaign.end(failed)
  }
}

class Campaign {
  readonly #options: CampaignOptions
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #ledger = new Ledger()
  readonly #missed: Cell[] = []
  #load!: Load
  #primary!: KillLoop
  #replica!: KillLoop
  #disturbance: Disturbance | undefined
  #failed = false
  #comparisons = 0

  private constructor(options: CampaignOptions, cluster: Cluster) {
    this.#options = options
    this.#cluster = cluster
    this.#random = new Random(options.seed)
  }

  static async create(options: CampaignOptions): Promise<Campaign> {
    return new Campaign(options, await Cluster.create({ replicas: ['fra'] }))
  }

  async run(): Promise<CampaignResult> {
    const { rounds } = this.#options
    await this.#begin()
    for (const { primary, replica } of rounds) {
      const ended = await Promise.allSettled([this.#run(this.#primary, primary), this.#run(this.#replica, replica)])
      for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason
      await this.#compare()
    }
    await this.#load.stop()
    return { ledger: this.#ledger, comparisons: this.#comparisons, missed: this.#missed }
  }

  /** The folder of a failed campaign stays for a look. */
  async end(failed: boolean): Promise<void> {
    this.#failed = true
    await this.#cluster.remove(failed)
    await this.#load?.stop()
    if (failed) console.error(`the files of the failed campaign are in ${this.#cluster.root}`)
  }

  async #begin(): Promise<void> {
    const [replica] = this.#cluster.replicas
    if (replica === undefined) throw new Error('no replica')
    const signer = await this.#cluster.signer()
    const verifier = await this.#cluster.verifier(replica)
    const copyIsNewest = (): boolean => this.#disturbance !== 'put back'
    this.#load = new Load({ signer, verifier, ledger: this.#ledger, random: this.#random, copyIsNewest })
    const common = { cluster: this.#cluster, histogram: this.#options.histogram, failed: () => this.#hasFailed() }
    const primary = { ...common, node: this.#cluster.primary, random: new Random(this.#options.seed + 1) }
    const follower = { ...common, node: replica, random: new Random(this.#options.seed + 2) }
    const judge = (copy: string): void => judgePrimary(copy, this.#ledger)
    this.#primary = new KillLoop({ ...primary, judge, disturbed: () => {}, restarted: async () => {} })
    this.#replica = new KillLoop({
      ...follower,
      judge: (copy) => this.#judgeReplica(copy),
      disturbed: (how) => (this.#disturbance = how),
      restarted: () => this.#refusesAtOnce(),
    })
    await Promise.all([this.#primary.rest(), this.#replica.rest()])
    await this.#until('writes are open', async () => (await this.#cluster.primaryStatus()).writes === 'open')
    this.#ledger.acknowledged((await signer.createOrg('acme')).position)
    this.#load.start()
  }

  async #run(loop: KillLoop, cells: readonly Cell[]): Promise<void> {
    try {
      this.#missed.push(...(await loop.run(cells)))
      if (!this.#hasFailed()) await loop.rest()
    } catch (error) {
      this.#failed = true
      throw error
    }
  }

  /** From its first answer after a restart a replica refuses what it had acknowledged (its copy or its journal has it). */
  async #refusesAtOnce(): Promise<void> {
    const { revoked } = this.#ledger
    const some = [...revoked.slice(-10), ...this.#random.shuffled(revoked).slice(0, 5)]
    await Promise.all(some.map((known) => this.#load.verify(known)))
  }

  #judgeReplica(copy: string): void {
    // A damaged copy is damaged until a snapshot took its place: the end of the round shows whether one did.
    if (this.#disturbance === 'damaged') return
    judgeReplica(copy, this.#ledger, { complete: this.#disturbance === undefined })
  }

  /** Both nodes at rest: same position, every revocation enforced, a clean end, the same bytes. */
  async #compare(): Promise<void> {
    await this.#load.stop()
    this.#throwIfFailed()
    await this.#until('the replica has caught up', async () => await this.#caughtUp())
    this.#throwIfFailed()
    this.#disturbance = undefined
    const untouched = this.#ledger.tokens.filter(({ revocationSent }) => !revocationSent)
    await expectAnswers(this.#load, this.#ledger.revoked, 'revoked')
    await expectAnswers(this.#load, untouched.slice(-20), 'ok')
    await stopInOrder([this.#primary.process, this.#replica.process])
    requireSameBytes(this.#cluster, this.#ledger)
    this.#comparisons += 1
    this.#throwIfFailed()
    await Promise.all([this.#primary.rest(), this.#replica.rest()])
    await this.#until('writes are open', async () => (await this.#cluster.primaryStatus()).writes === 'open')
    this.#load.start()
  }

  async #caughtUp(): Promise<boolean> {
    const [replica] = this.#cluster.replicas
    if (replica === undefined) return false
    const [ours, theirs] = await Promise.all([this.#cluster.primaryStatus(), this.#cluster.replicaStatus(replica)])
    if (theirs.alarm !== null) this.#load.failure ??= new Error(`the replica alarms: ${theirs.alarm}`)
    return ours.writes === 'open' && ours.position === theirs.position
  }

  #hasFailed(): boolean {
    return this.#failed || this.#load.failure !== undefined
  }

  #throwIfFailed(): void {
    if (this.#load.failure !== undefined) throw this.#load.failure
  }

  async #until(what: string, met: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + SETTLE_MS
    let last: unknown
    while (Date.now() < deadline) {
      try {
        if (await met()) return
      } catch (error) {
        last = error
      }
      await setTimeout(POLL_MS)
    }
    const logs = [this.#primary, this.#replica].map(({ process }) => process.log.slice(-8).join('\n')).join('\n')
    throw new Error(`not within ${SETTLE_MS} ms: ${what} (${String(last)})\n${logs}`)
  }
}
