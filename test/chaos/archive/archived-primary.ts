/**
 * A primary with an archive that is started and killed again and again. Every life does the same work: upload, merge, snapshot,
 * retention.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { parsePosition } from '../../../shared/position.ts'
import type { ArchiveStatus, PrimaryStatus } from '../../../shared/protocol/status.ts'
import { Cluster } from '../cluster.ts'
import { segmentHeaders } from '../disk.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Random } from '../random.ts'
import { judgeArchive, type Judged, recordedBy } from './judge-archive.ts'
import { filesOf, type Target } from './targets.ts'
import { type ThreadHarm, type ThreadTrace, TRACED, type TracedCall, traceThread } from './thread-strace.ts'

export const WINDOW_MS = 1_500
const KEEP_MS = 5_000
const DAY_MS = 86_400_000
const NEVER = '0 0 29 2 *'
const READY_MS = 30_000
const WORK_MS = 20_000
const POLL_MS = 15
const ASK_AGAIN_MS = 1_500
/** A disk that stays full does so for that long after the status has reported it. */
const FAILING_MS = 300
/** All of it: what was recorded is looked up there. */
const KEPT_LOG_BYTES = 64_000_000
const MOMENTS_DRAWN = 6
const ORG = 'acme'

/** With these a directory archive is changed; `write` is traced only if the target is a write, because threads wake each other with it. */
const SYSCALLS = ['fsync', 'rename', 'link', 'unlink', 'mkdir', 'utimensat'] as const

export interface Life {
  /** True when the work was done before anything ended it. */
  readonly whole: boolean
  readonly killed: boolean
  readonly trace: readonly TracedCall[]
  /** Undefined for an archive that nobody has claimed yet. */
  readonly judged: Judged | undefined
  /** What the status said of the archive, each once. */
  readonly alerts: readonly string[]
  readonly log: readonly string[]
}

/** Where the archiver is harmed, and how. */
export interface Harm extends Target, ThreadHarm {
  /** The primary is killed as soon as its status tells of the failure: what it has said is archived must be. */
  readonly killWhenReported?: boolean
}

export class ArchivedPrimary {
  readonly archive: string
  readonly scratch: string
  readonly #cluster: Cluster
  readonly #random: Random
  #mintFirst: number
  #publicKey: Uint8Array | undefined
  /** Highest transaction that was acknowledged as archived, by an answer or by the status. */
  #acknowledged = 0
  #lives = 0
  #begins: number | undefined
  readonly #alerts = new Set<string>()
  #trace: ThreadTrace | undefined
  #node: NodeProcess | undefined
  #harm: Harm | undefined

  private constructor(cluster: Cluster, random: Random, mintFirst: number) {
    this.#cluster = cluster
    this.#random = random
    this.#mintFirst = mintFirst
    this.archive = archiveOf(cluster.root)
    this.scratch = join(cluster.root, 'scratch')
    mkdirSync(this.scratch)
  }

  /** `mintFirst`: tokens minted before the work of the first life. */
  /** From its first life to the end of `use`; its files stay for a look when that fails. */
  static async during<T>(
    random: Random,
    use: (primary: ArchivedPrimary) => Promise<T>,
    mintFirst: number = 0,
  ): Promise<T> {
    const primary = await ArchivedPrimary.#create(random, mintFirst)
    let failed = true
    try {
      const result = await use(primary)
      failed = false
      return result
    } finally {
      await primary.remove(failed)
    }
  }

  static async #create(random: Random, mintFirst: number): Promise<ArchivedPrimary> {
    const schedule = ['level_1', 'level_2', 'level_3', 'snapshot', 'retention', 'drill', 'heartbeat']
    const cluster = await Cluster.create({
      replicas: [],
      keepBytes: KEPT_LOG_BYTES,
      primarySettings: (root) => `[durability]
revocations = "archive"
[archive]
to = "${archiveOf(root)}"
upload_every_ms = 20
jitter_seconds = 0
window_days = ${WINDOW_MS / DAY_MS}
keep_days = ${KEEP_MS / DAY_MS}
[archive.schedule]
${schedule.map((job) => `${job} = "${NEVER}"`).join('\n')}
`,
    })
    return new ArchivedPrimary(cluster, random, mintFirst)
  }

  get key(): string {
    return Buffer.from(this.#publicKey ?? []).toString('hex')
  }

  async remove(keep: boolean): Promise<void> {
    await this.#cluster.remove(keep)
  }

  /** Starts, works, and dies: at the target, or when the work is done. What is on disk then is judged. */
  async live(harm?: Harm): Promise<Life> {
    this.#harm = harm
    this.#alerts.clear()
    const node = this.#cluster.start(this.#cluster.primary, TRACED)
    const trace = await this.#traceNode(node.pid, harm)
    this.#trace = trace
    this.#node = node
    let whole = false
    if (await node.ready(READY_MS)) whole = await this.#workWhileItLives(node)
    const ending = await node.endedWithin(whole ? 0 : WORK_MS)
    if (ending !== undefined && ending.signal !== 'SIGKILL')
      throw new Error(`it ended by itself:\n${node.log.join('\n')}`)
    await node.kill()
    const diedMs = Date.now()
    const killed = ending !== undefined
    return {
      whole,
      killed,
      trace: await trace.whole(),
      judged: await this.#judge(diedMs),
      alerts: [...this.#alerts],
      log: node.log,
    }
  }

  #traceNode(pid: number, harm: Harm | undefined): Promise<ThreadTrace> {
    const { root, primary } = this.#cluster
    const output = join(root, 'trace')
    if (harm === undefined) return traceThread({ pid, thread: 'pool', syscalls: SYSCALLS, files: [], output })
    const { thread, syscall, stage } = harm
    const files = thread === 'main' ? [join(primary.data, 'archive-snapshot.tmp')] : filesOf(stage, this.archive, pid)
    return traceThread({ pid, thread, syscalls: [syscall], files, harm, output })
  }

  /** Resolves with false when the process died before the work was done. */
  async #workWhileItLives(node: NodeProcess): Promise<boolean> {
    const over = new AbortController()
    const late = AbortSignal.timeout(WORK_MS)
    const work = this.#work(AbortSignal.any([over.signal, late])).then(
      () => true,
      (error: unknown) => error,
    )
    const outcome = await Promise.race([work, node.ended.then(() => false)])
    over.abort()
    if (typeof outcome === 'boolean') return outcome
    // A call fails at the moment of the death, before it is seen.
    if ((await node.endedWithin(500)) !== undefined) return false
    const why = late.aborted ? 'the work did not come to its end' : String(outcome)
    throw new Error(`${why}:\n${node.log.join('\n')}`, { cause: outcome })
  }

  async #work(signal: AbortSignal): Promise<void> {
    const life = (this.#lives += 1)
    const status = await this.#cluster.primaryStatus()
    this.#publicKey = Buffer.from(status.authorityKey, 'hex')
    // Of an archive that cannot be claimed while it fails, that is how long writes wait.
    if (status.writes !== 'open' && this.#fails) await this.#until((_, { writes }) => writes === 'open', signal)
    const signer = await this.#cluster.signer()
    try {
      await signer.createOrg(ORG).catch((error: unknown) => {
        if (!(error instanceof MacaroondError) || error.code !== 'org_exists') throw error
      })
      // One after the other: what is asked for at once is one transaction.
      for (; this.#mintFirst > 0; this.#mintFirst -= 1) await signer.mint({ org: ORG, subject: 'dave' })
      const { token } = await signer.mint({ org: ORG, subject: `alice-${life}` })
      await signer.mint({ org: ORG, subject: `bob-${life}` })
      await this.#revoke(signer, token, signal)
      await this.#ask('archive.compact', 'retain', signal)
      await this.#ask('archive.snapshot', 'snapshot', signal)
      await signer.mint({ org: ORG, subject: `carol-${life}` })
      await this.#until(({ lag }) => lag === 0, signal)
      await this.#ask('archive.compact', 'retain', signal)
      await this.#untilQuiet(signal)
    } finally {
      await signer.close()
    }
  }

  /** An archive that is slow to have it is asked again: what counts is what is acknowledged. */
  async #revoke(signer: Signer, token: string, signal: AbortSignal): Promise<void> {
    try {
      const { position, durability } = await signer.revoke({ token })
      if (durability !== 'archive') throw new Error(`a revocation was acknowledged as ${durability}`)
      this.#archivedUpTo(position)
    } catch (error) {
      if (!(error instanceof MacaroondError) || error.code !== 'position_unreached') throw error
      await this.#until(({ lag }) => lag === 0, signal)
      await this.#revoke(signer, token, signal)
    }
  }

  /** A job that has failed is not due any more: then it is asked for again. */
  async #ask(method: string, last: string, signal: AbortSignal): Promise<void> {
    const askedMs = Date.now()
    const isDone = ({ jobs }: ArchiveStatus): boolean =>
      jobs.some(({ job, doneAtMs }) => job === last && (doneAtMs ?? 0) >= askedMs)
    for (let done = false; !done;) {
      const againMs = Date.now() + ASK_AGAIN_MS
      await this.#cluster.admin(this.#cluster.primary, method)
      await this.#until((archive) => {
        done = isDone(archive)
        return done || (this.#fails && Date.now() > againMs)
      }, signal)
    }
  }

  /** What waits is uploaded by itself. A job that has failed comes again with its schedule: here nothing is scheduled. */
  async #untilQuiet(signal: AbortSignal): Promise<void> {
    for (let quiet = false; !quiet;) {
      await this.#until(({ lag }) => lag === 0, signal)
      await this.#until(({ alerts }) => {
        quiet = alerts.length === 0
        return true
      }, signal)
      if (quiet) return
      await this.#ask('archive.snapshot', 'snapshot', signal)
      await this.#ask('archive.compact', 'retain', signal)
    }
  }

  get #fails(): boolean {
    return this.#harm?.error !== undefined
  }

  async #until(
    condition: (archive: ArchiveStatus, status: PrimaryStatus) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const status = await this.#cluster.primaryStatus()
      const { archive } = status
      if (archive === null) throw new Error('nothing is archived')
      if (archive.position !== null) this.#archivedUpTo(archive.position)
      if (archive.alerts.length > 0) await this.#alerted(archive.alerts, status)
      if (condition(archive, status)) return
      await setTimeout(POLL_MS)
    }
  }

  /** Where nothing is to fail an alert ends the work. Otherwise the disk does what it should soon after, and the archiver goes on by itself. */
  async #alerted(alerts: readonly string[], { writes }: PrimaryStatus): Promise<void> {
    if (!this.#fails) throw new Error(alerts.join('; '))
    if (this.#harm?.stage !== 'claim' && writes !== 'open')
      throw new Error(`writes are ${writes}: ${alerts.join('; ')}`)
    const isFirst = this.#alerts.size === 0
    for (const alert of alerts) this.#alerts.add(alert)
    if (!isFirst) return
    if (this.#harm?.killWhenReported === true) return void (await this.#node?.kill())
    await setTimeout(FAILING_MS)
    this.#trace?.heal()
  }

  #archivedUpTo(position: string): void {
    this.#acknowledged = Math.max(this.#acknowledged, parsePosition(position).txid)
  }

  async #judge(diedMs: number): Promise<Judged | undefined> {
    if (this.#publicKey === undefined) return undefined
    const judged = await judgeArchive({
      archive: this.archive,
      publicKey: this.#publicKey,
      recorded: recordedBy(segmentHeaders(this.#cluster.primary.data)),
      begins: this.#begins,
      acknowledged: this.#acknowledged,
      exactSinceMs: diedMs - WINDOW_MS,
      keptSinceMs: diedMs - KEEP_MS,
      random: this.#random,
      drawn: MOMENTS_DRAWN,
      scratch: this.scratch,
    })
    this.#begins = judged.begins
    return judged
  }
}

function archiveOf(root: string): string {
  return join(root, 'archive')
}
