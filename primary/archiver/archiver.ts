/**
 * The shell of one archiver: runs the work that the core orders, and reports the results to it. A commit never waits for it. It
 * stops this primary if the archive shows that another one leads.
 */
import type { CallOff } from '../../shared/clock.ts'
import type { ArchiveChain } from '../../shared/database/archive-chains.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Txid } from '../../shared/ids.ts'
import { positionText } from '../../shared/position.ts'
import type { ArchiveRepairPlace } from '../../shared/protocol/archive-repair.ts'
import type { DestinationStatus } from '../../shared/protocol/status.ts'
import { Threshold } from '../durability/threshold.ts'
import { alertsOf, type ArchiveAlert } from './alerts.ts'
import { JOB_SCHEDULES, rulesOf } from './config.ts'
import { archiverStep } from './core.ts'
import { type ArchiverEvent, type ArchiverState, type JobName, startArchiver, type ArchiveWork } from './state.ts'
import { ArchiveWorker, type WorkerOptions } from './worker.ts'

export interface ArchiverOptions extends WorkerOptions {
  /** Called when this primary leads the archive, which holds our own history up to and including `archived`. */
  readonly onClaimed: (archived: Txid) => void
  /** Called if another primary leads, or this database is an older copy. This primary must acknowledge nothing more. */
  readonly onFatal: (error: MacaroondError) => void
}

/** Errors that no retry can solve. Archiving ends, and `onFatal` stops the primary if this is its first place. */
const FINAL: ReadonlySet<string> = new Set([
  'archive_fenced',
  'wrong_cluster',
  'position_diverged',
  'platform_unsupported',
  'config_invalid',
])
/** A start waits this long to learn from the archive who leads. An unreachable archive must not keep a primary down. */
const CLAIM_WAIT_MS = 3_000
const STOP_WAIT_MS = 3_000
const JOBS = Object.keys(JOB_SCHEDULES) as JobName[]

export class Archiver {
  readonly #options: ArchiverOptions
  readonly #worker: ArchiveWorker
  readonly #stopping = new AbortController()
  readonly #firstClaim = Promise.withResolvers<void>()
  /** Monotonic milliseconds, so that setting the wall clock does not change them. */
  readonly #doneAtMs = new Map<JobName, number>()
  readonly #archived = new Threshold()
  #state: ArchiverState
  #working: Promise<void> = Promise.resolve()
  #background: Promise<void> = Promise.resolve()
  #cancelTick: CallOff | undefined

  constructor(options: ArchiverOptions) {
    this.#options = options
    this.#worker = new ArchiveWorker(options, this.#stopping.signal)
    this.#state = startArchiver(options.source.head.txid)
  }

  /**
   * Resolves when this primary leads the archive, or could not reach it in time. Throws archive_fenced, wrong_cluster,
   * position_diverged, platform_unsupported, config_invalid.
   */
  async start(): Promise<void> {
    this.#archiverStep({ kind: 'tick' })
    await this.#waitAtMost(this.#firstClaim.promise, CLAIM_WAIT_MS)
  }

  /** Called with every commit; returns at once. */
  committed(txid: Txid): void {
    this.#archiverStep({ kind: 'committed', txid })
  }

  /**
   * Calls `resolve` once the archive has the transaction, and starts an upload at once. The returned function stops waiting.
   */
  wait(txid: number, resolve: () => void): () => void {
    const stop = this.#archived.wait(txid, resolve)
    if (txid > this.#archived.reached) this.#archiverStep({ kind: 'hurry' })
    return stop
  }

  /** Makes a job due. If the disk is full and the job needs room, it is skipped until its next schedule. */
  due(job: JobName): void {
    if (this.#worker.mustWait(job)) return this.#options.log.warn({ job }, 'the disk is full: this job is skipped')
    this.#archiverStep({ kind: 'due', job })
  }

  /**
   * Reports damage that is not repaired, and repairs that no operator has acknowledged. `stored` is what the database records
   * of this place.
   */
  repairReport(stored: ArchiveChain | undefined): ArchiveRepairPlace {
    const repaired = this.#worker.toRecord.repaired ?? stored?.repaired ?? ''
    return { location: this.location, wound: this.#worker.damage ?? null, repaired }
  }

  /** Call it when an operator has confirmed the report: it starts the repair at once, and ends the alarm of earlier repairs. */
  repair(stored: ArchiveChain | undefined): void {
    const { wound, repaired } = this.repairReport(stored)
    if (repaired !== '') this.#worker.acknowledgeRepairs()
    if (wound === null) return
    this.#worker.allowRepair()
    this.#archiverStep({ kind: 'repair' })
  }

  /** Returns the record that the database must still store for this place; undefined if it is up to date. */
  unrecordedChain(stored: ArchiveChain | undefined): ArchiveChain | undefined {
    const { link = stored, repaired = stored?.repaired ?? '' } = this.#worker.toRecord
    if (link === undefined) return undefined
    const isKnown = link.hash === stored?.hash && repaired === stored.repaired
    return isKnown ? undefined : { entry: link.entry, hash: link.hash, repaired }
  }

  /** Aborts running work, then uploads waiting transactions, for up to 3 s in all. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancelTick?.()
    const uploaded = this.#working.then(() => this.#uploadRest())
    await this.#waitAtMost(Promise.all([uploaded, this.#background]), STOP_WAIT_MS)
  }

  status(): DestinationStatus {
    const { location, clock } = this.#options
    const { files, head } = this.#worker.contents
    const { committed, archived, behindSinceMs } = this.#state
    const nowMs = clock.monotonicMs()
    return {
      location,
      position: head === undefined ? null : positionText(head),
      lag: Math.max(0, committed - archived),
      lagMs: behindSinceMs === undefined ? 0 : Math.round(nowMs - behindSinceMs),
      files: files.size,
      bytes: [...files.values()].reduce((sum, { bytes }) => sum + bytes, 0),
      lastDrill: this.#worker.lastDrill,
      jobs: JOBS.map((job) => ({ job, doneAtMs: this.#wallMs(this.#doneAtMs.get(job)) })),
      alerts: this.alerts.map(({ text }) => text),
    }
  }

  /** Conditions for an operator; empty if all is well. */
  get alerts(): readonly ArchiveAlert[] {
    return alertsOf(this.#state, this.#options.clock.monotonicMs(), rulesOf(this.#options.config))
  }

  get location(): string {
    return this.#options.location
  }

  /** Converts a monotonic time to wall clock time, by the present difference of the two clocks. */
  #wallMs(monotonicMs: number | undefined): number | null {
    const { clock } = this.#options
    return monotonicMs === undefined ? null : Math.round(clock.wallMs() - (clock.monotonicMs() - monotonicMs))
  }

  #archiverStep(event: ArchiverEvent): void {
    const { clock, config } = this.#options
    const nowMs = clock.monotonicMs()
    const { state, start, wakeAtMs } = archiverStep(this.#state, event, nowMs, rulesOf(config))
    this.#state = state
    this.#archived.raise(state.archived)
    if (this.#stopping.signal.aborted) return
    for (const work of start) {
      if (work.kind === 'background') this.#background = this.#runInBackground(work)
      else this.#working = this.#run(work)
    }
    if (wakeAtMs === undefined || this.#cancelTick !== undefined) return
    this.#cancelTick = clock.after(Math.max(1, wakeAtMs - nowMs), () => {
      this.#cancelTick = undefined
      this.#archiverStep({ kind: 'tick' })
    })
  }

  /** Waits for the work, but no longer than `ms`. */
  async #waitAtMost(work: Promise<unknown>, ms: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const callOff = this.#options.clock.after(ms, resolve)
    await Promise.race([work, late]).finally(callOff)
  }

  /** Never rejects. No failure here is final: only work on the chain can show that another primary leads. */
  async #runInBackground(work: Extract<ArchiveWork, { kind: 'background' }>): Promise<void> {
    let event: ArchiverEvent
    try {
      event = await this.#worker.do(work, false)
      if (work.job === 'drill') this.#doneAtMs.set(work.job, this.#options.clock.monotonicMs())
    } catch (error) {
      const report = reportOf(error)
      if (!this.#stopping.signal.aborted) this.#options.log.error({ work, error: report }, 'archiving failed')
      event = { kind: 'background failed', failure: { code: report.code, message: report.message } }
    }
    this.#archiverStep(event)
  }

  /** Never rejects: success and failure both become events. */
  async #run(work: ArchiveWork): Promise<void> {
    let event: ArchiverEvent
    try {
      event = await this.#worker.do(work, this.#state.needsSnapshot)
      if (event.kind === 'claimed') this.#claimed(event.archived)
      if (work.kind === 'job') this.#doneAtMs.set(work.job, this.#options.clock.monotonicMs())
    } catch (error) {
      event = this.#failed(work, error)
    }
    this.#archiverStep(event)
  }

  #claimed(archived: Txid): void {
    this.#options.onClaimed(archived)
    this.#firstClaim.resolve()
  }

  #failed(work: ArchiveWork, error: unknown): ArchiverEvent {
    const { log, onFatal } = this.#options
    const report = reportOf(error)
    const final = error instanceof MacaroondError && FINAL.has(error.code)
    log.error({ work, error: report }, 'archiving failed')
    if (final) {
      this.#firstClaim.reject(error)
      // `start` rejects if it still waits. Otherwise nobody awaits this promise, and it must not count as unhandled.
      this.#firstClaim.promise.catch(() => undefined)
      onFatal(error)
    }
    return { kind: 'failed', failure: { code: report.code, message: report.message }, final }
  }

  /** Uploads in rounds until nothing waits. After a failure the next start uploads the rest. */
  async #uploadRest(): Promise<void> {
    for (;;) {
      const { claimed, ended, needsSnapshot, archived, committed } = this.#state
      if (!claimed || ended || needsSnapshot || archived >= committed) return
      const event = await this.#worker.upload(archived).catch(() => undefined)
      if (event?.kind !== 'uploaded') return
      this.#state = { ...this.#state, archived: event.archived }
    }
  }
}
