/**
 * One cluster under load. In each life of one node, one call to its disk fails. The node either continues, and recovers with the
 * disk, or it ends with a documented failure. The run checks what the node reported and what is on its disk.
 */
import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { MacaroondError } from '../../../shared/errors.ts'
import { expectAnswers, requireSameBytes, stopInOrder } from '../at-rest.ts'
import { Cluster, type NodeFiles } from '../cluster.ts'
import { copyNode } from '../disk.ts'
import { judgePrimary, judgeReplica } from '../judge.ts'
import type { Role } from '../kill-point/points.ts'
import { Ledger } from '../ledger.ts'
import { Load } from '../load.ts'
import type { Ending, NodeProcess } from '../node-process.ts'
import type { Random } from '../random.ts'
import { type DiskFault, faultName, type Counted, countPlaces } from './disk-faults.ts'
import { type DiskTrace, type Failure, HELD_BACK, traceDisk } from './disk-strace.ts'
import { kindOf, kindsOf, pathsOf } from './files.ts'
import { LostPages } from './lost-pages.ts'
import { requireDocumentedEnd, requireNoGap, requireNoSecret, requireReported } from './reported.ts'
import { POLL_MS, SETTLE_MS, Watch } from './watch.ts'

export type End = 'not reached' | 'went on' | 'ended' | 'ended while stopping'

export interface Outcome {
  readonly fault: DiskFault
  readonly end: End
  /** That a power cut took, of what a failed sync was to keep. */
  readonly lostBytes: number
}

const SHORT_WRITES = join(import.meta.dirname, 'short-writes.ts')
const READY_MS = 30_000
/** A life under load until it is asked to stop, so that the calls of a stop are reached as well. */
const LIFE_MS = 2_000
/** After the error: a node that ends has ended by then, and a disk that stays full does so for that long. */
const GRACE_MS = 800
/** Writes that a life takes before a power cut, and fewer than a checkpoint is made after: that would write them once more. */
const ACKNOWLEDGED_MIN = 2
/** Codes that callers may get from a node whose disk fails, besides those of a node that is away. */
const REFUSALS: ReadonlySet<string> = new Set(['io_failed', 'sync_failed', 'disk_full', 'outcome_unknown'])

interface Life {
  readonly node: NodeProcess
  readonly trace: DiskTrace
  /** The traced files as it found them. */
  readonly before: ReadonlyMap<string, Buffer>
  readonly isReady: boolean
}

export class DiskFaultRun {
  readonly cluster: Cluster
  readonly #subject: NodeFiles
  readonly #partner: NodeFiles
  readonly #replica: NodeFiles
  readonly #random: Random
  readonly #ledger = new Ledger()
  readonly #watch: Watch
  readonly #refusals = new Map<string, number>()
  #load: Load | undefined
  #atPartner!: NodeProcess
  #living: NodeProcess | undefined
  /** The replica has everything it acknowledged; not so from the moment on that its folder is emptied, until it has caught up. */
  #complete = true

  private constructor(cluster: Cluster, role: Role, random: Random) {
    const { primary, replicas } = cluster
    const [replica] = replicas
    if (replica === undefined) throw new Error('no replica')
    this.cluster = cluster
    this.#replica = replica
    this.#subject = role === 'primary' ? primary : replica
    this.#partner = role === 'primary' ? replica : primary
    this.#random = random
    const failure = (): Error | undefined => this.#load?.failure
    this.#watch = new Watch({ cluster, replica, ledger: this.#ledger, failure })
  }

  static async create(role: Role, random: Random): Promise<DiskFaultRun> {
    const run = new DiskFaultRun(await Cluster.create({ replicas: ['fra'] }), role, random)
    await run.#begin()
    return run
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  /** Codes of the calls that were refused because of the disk, and how often. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals
  }

  get #refused(): number {
    return [...this.#refusals.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Whole lives in which nothing fails: of a node that goes on, and of a replica that begins anew. */
  async profile(): Promise<readonly Counted[]> {
    const places = await this.#profileLife(false)
    if (this.#subject.role === 'primary') return places
    const fresh = await this.#profileLife(true)
    const known = new Set(places.map(({ syscall, file }) => `${syscall} ${file}`))
    return [...places, ...fresh.filter(({ syscall, file }) => !known.has(`${syscall} ${file}`))]
  }

  async fail(fault: DiskFault): Promise<Outcome> {
    const where = `${this.#subject.name}, ${faultName(fault)}`
    try {
      return await this.#fail(fault)
    } catch (error) {
      const log = this.#living?.log.slice(-12).join('\n')
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`${where}: ${message}\n${log}`, { cause: error })
    }
  }

  /** A life in which every write of the node is done in parts, and another one after it that finds what it left. Returns the kinds of its files. */
  async writeInParts(): Promise<readonly string[]> {
    const { data, folder } = this.#subject
    const record = join(folder, 'short')
    rmSync(record, { force: true })
    const env = { CHAOS_SHORT: `${data}\n${record}` }
    this.#living = this.cluster.start(this.#subject, { imports: [SHORT_WRITES], env })
    if (!(await this.#living.ready(READY_MS))) throw new Error('it ended instead of serving')
    await this.#wellAgain()
    await setTimeout(LIFE_MS)
    await this.#wellAgain()
    await this.#living.kill()
    this.#judgeDisk()
    const paths = readFileSync(record, 'utf8').trim().split('\n')
    return [...new Set(paths.map((path) => kindOf(this.#subject, path)))].filter((kind) => kind !== undefined)
  }

  /** Both nodes at rest, and their files compared. */
  async rest(): Promise<void> {
    await this.#startPlainly()
    await this.#wellAgain()
    const load = this.#load
    if (load === undefined) throw new Error('there was no load')
    await load.stop()
    this.#watch.throwIfFailed()
    await this.#watch.until('the replica has caught up', async () => {
      const [ours, theirs] = await this.#watch.statuses()
      return ours.writes === 'open' && ours.position === theirs.position
    })
    const { tokens, revoked } = this.#ledger
    await expectAnswers(load, revoked, 'revoked')
    await expectAnswers(load, tokens.filter(({ revocationSent }) => !revocationSent).slice(-20), 'ok')
    if (this.#living !== undefined) await stopInOrder([this.#living, this.#atPartner])
    requireSameBytes(this.cluster, this.#ledger)
  }

  async remove(keep: boolean): Promise<void> {
    void this.#load?.stop()
    await this.cluster.remove(keep)
    if (keep) console.error(`the files of the failed run are in ${this.cluster.root}`)
  }

  async #begin(): Promise<void> {
    this.#atPartner = this.cluster.start(this.#partner)
    await this.#startPlainly()
    if (!(await this.#atPartner.ready(READY_MS))) throw new Error(this.#atPartner.log.join('\n'))
    await this.#watch.until('writes are open', async () => (await this.cluster.primaryStatus()).writes === 'open')
    const signer = await this.cluster.signer()
    const verifier = await this.cluster.verifier(this.#replica)
    const common = { ledger: this.#ledger, random: this.#random, copyIsNewest: () => true }
    const load = new Load({ signer, verifier, ...common, mayFail: (error) => this.#isOfTheDisk(error) })
    this.#load = load
    this.#ledger.acknowledged((await signer.createOrg('acme')).position)
    load.start()
    await this.#wellAgain()
    await this.#living?.kill()
  }

  #isOfTheDisk(error: unknown): boolean {
    if (!(error instanceof MacaroondError) || !REFUSALS.has(error.code)) return false
    this.#refusals.set(error.code, (this.#refusals.get(error.code) ?? 0) + 1)
    return true
  }

  async #startPlainly(): Promise<void> {
    this.#living = this.cluster.start(this.#subject)
    if (!(await this.#living.ready(READY_MS)))
      throw new Error(`it ended instead of serving:\n${this.#living.log.join('\n')}`)
  }

  async #profileLife(fresh: boolean): Promise<readonly Counted[]> {
    if (fresh) this.#empty()
    const { node, trace } = await this.#start(kindsOf(this.#subject.role))
    await this.#wellAgain()
    await setTimeout(LIFE_MS)
    await stopInOrder([node])
    await trace.heal()
    return countPlaces(this.#subject, trace.calls(), fresh)
  }

  async #start(kinds: readonly string[], failure?: Failure): Promise<Life> {
    const files = pathsOf(this.#subject, kinds)
    const before = contentsOf(files)
    const node = this.cluster.start(this.#subject, HELD_BACK)
    this.#living = node
    const output = join(this.#subject.folder, 'trace')
    const trace = await traceDisk({ pid: node.pid, files, failure, output })
    return { node, trace, before, isReady: await node.ready(READY_MS) }
  }

  async #fail(fault: DiskFault): Promise<Outcome> {
    if (fault.fresh) this.#empty()
    const refusedBefore = this.#refused
    const life = await this.#start([fault.file], fault.failure)
    const isHit = (): boolean => life.trace.calls().some(({ injected }) => injected)
    await this.#untilHit(life, isHit)
    const stopping = !isHit()
    if (stopping) life.node.signal('SIGTERM')
    const ending = await life.node.endedWithin(stopping ? SETTLE_MS : GRACE_MS)
    if (!isHit()) return this.#notReached(life, ending, fault)
    const end = ending === undefined ? 'went on' : stopping ? 'ended while stopping' : 'ended'
    if (ending === undefined) await this.#recover(life)
    else if (!stopping || ending.code !== 0) requireDocumentedEnd(ending, life.node.log, this.#subject)
    await life.trace.heal()
    if (end === 'went on') requireReported(life.node.log, this.#refused > refusedBefore, fault)
    requireNoSecret(life.node.log)
    requireNoGap(life.node.log)
    const lostBytes = await this.#judge(fault, end, life)
    this.#watch.throwIfFailed()
    return { fault, end, lostBytes }
  }

  /** As long as the node lives, but not for ever. */
  async #untilHit({ node }: Life, isHit: () => boolean): Promise<void> {
    const deadline = Date.now() + LIFE_MS
    while (!isHit() && Date.now() < deadline) {
      if ((await node.endedWithin(POLL_MS)) !== undefined) return
    }
  }

  async #notReached({ node, trace }: Life, ending: Ending | undefined, fault: DiskFault): Promise<Outcome> {
    if (ending?.code !== 0) throw new Error(`it ended with ${JSON.stringify(ending)}, and no call had failed`)
    await trace.heal()
    requireNoSecret(node.log)
    requireNoGap(node.log)
    this.#watch.throwIfFailed()
    return { fault, end: 'not reached', lostBytes: 0 }
  }

  /** It says how it is while its disk fails, and goes on by itself when the disk does what it should. */
  async #recover({ node, trace }: Life): Promise<void> {
    await this.cluster.admin(this.#subject, 'status')
    await trace.heal()
    await this.#wellAgain()
    if (this.#random.below(2) === 0) await node.kill()
    else await stopInOrder([node])
  }

  async #judge(fault: DiskFault, end: End, life: Life): Promise<number> {
    const pages = new LostPages()
    pages.take(life.trace.calls(), life.before)
    const [betrayed] = pages.betrayed
    if (betrayed !== undefined) throw new Error(`${betrayed} was synced again, as if nothing had been lost`)
    if (end !== 'ended' || fault.aftermath === 'restart') {
      this.#judgeDisk()
      return 0
    }
    if (fault.aftermath === 'restart, then power cut') {
      this.#judgeDisk()
      await this.#liveOn(fault, pages)
    }
    const lostBytes = pages.powerCut()
    this.#judgeDisk(true)
    return lostBytes
  }

  /** Another life, on what could still be read: what is acknowledged now must be on the disk. */
  async #liveOn({ file }: DiskFault, pages: LostPages): Promise<void> {
    const { node, trace, before, isReady } = await this.#start([file])
    if (!isReady) throw new Error('it did not start again')
    const { newest, revoked } = this.#ledger
    const [firstTxid, count] = [newest?.txid ?? 0, revoked.length]
    await this.#watch.until('writes are acknowledged', () =>
      Promise.resolve(
        (this.#ledger.newest?.txid ?? 0) > firstTxid + ACKNOWLEDGED_MIN && this.#ledger.revoked.length > count,
      ),
    )
    await node.kill()
    await trace.heal()
    pages.take(trace.calls(), before)
  }

  async #wellAgain(): Promise<void> {
    await this.#watch.newWriteArrives()
    this.#complete = true
  }

  #judgeDisk(powerCut: boolean = false): void {
    const { role, data, folder } = this.#subject
    const copy = copyNode(data, join(folder, 'judged'))
    if (role === 'primary') judgePrimary(copy, this.#ledger, { powerCut })
    else judgeReplica(copy, this.#ledger, { complete: this.#complete })
  }

  #empty(): void {
    rmSync(this.#subject.data, { recursive: true, force: true })
    this.#complete = false
  }
}

function contentsOf(files: readonly string[]): ReadonlyMap<string, Buffer> {
  const there = files.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
  return new Map(there.map((path) => [path, readFileSync(path)]))
}
