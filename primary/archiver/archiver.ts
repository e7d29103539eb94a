/** The archiver's shell: does what the core says, and tells it what came of it. Nothing here ever waits inside a commit. */
import { join } from 'node:path'
import type { Drilled } from '../../shared/archive/drill.ts'
import { ManifestWriter } from '../../shared/archive/manifest-store.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import type { Clock, Entropy } from '../../shared/clock.ts'
import type { SigningKey } from '../../shared/database/signing-key.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Txid } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { positionText } from '../../shared/position.ts'
import type { ArchiveStatus } from '../../shared/protocol/status.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { ArchiveConfig } from './config.ts'
import { rulesOf, retentionOf } from './config.ts'
import { claim } from './claim.ts'
import { compact } from './compact.ts'
import { alertsOf, type ArchiverEvent, type ArchiverState, startArchiver, step, type Work } from './core.ts'
import { drillInThread } from './drill-thread.ts'
import { retain } from './retain.ts'
import { snapshot } from './snapshot.ts'
import type { HistorySource } from './source.ts'
import { upload } from './upload.ts'

export interface ArchiverOptions {
  readonly config: ArchiveConfig
  readonly cluster: string
  readonly storage: ArchiveStorage
  readonly source: HistorySource
  readonly signingKey: SigningKey
  readonly ring: readonly Kek[]
  /** Folder for scratch files, on the primary's own disk. */
  readonly scratch: string
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  /** Another primary leads, or this database is old: nothing may be acknowledged any more. */
  readonly onFatal: (error: MacaroondError) => void
  /** For the audit. */
  readonly onDrilled: (outcome: Drilled | MacaroondError) => void
}

/** After these no retry helps: this primary must not go on. */
const FINAL: ReadonlySet<string> = new Set(['archive_fenced', 'wrong_cluster', 'position_diverged'])
/** A start waits so long for the archive to say who leads; one that cannot be reached keeps no primary down. */
const CLAIM_WAIT_MS = 3_000
const STOP_WAIT_MS = 3_000
const WATCH_MS = 5_000

export class Archiver {
  readonly #options: ArchiverOptions
  readonly #manifest: ManifestWriter
  readonly #stopping = new AbortController()
  readonly #firstClaim = Promise.withResolvers<void>()
  #state: ArchiverState
  #working: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined
  #alerts: readonly string[] = []
  #lastDrill: ArchiveStatus['lastDrill'] = null

  constructor(options: ArchiverOptions) {
    this.#options = options
    const { storage, cluster, source, signingKey, clock } = options
    const { epoch, txid } = source.head
    const { timeline } = source
    this.#manifest = new ManifestWriter({ storage, cluster, epoch, timeline, signingKey, wallMs: clock.wallMs })
    this.#state = startArchiver(txid)
  }

  /** Resolves when this primary leads the archive, or cannot reach it now. Throws archive_fenced, wrong_cluster, position_diverged. */
  async start(): Promise<void> {
    this.#step({ kind: 'tick' })
    this.#watch = setInterval(() => this.#lookForAlerts(), WATCH_MS)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLAIM_WAIT_MS)))
    await Promise.race([this.#firstClaim.promise, late])
    clearTimeout(timer)
  }

  /** Called with every commit; returns at once. */
  committed(txid: Txid): void {
    this.#step({ kind: 'committed', txid })
  }

  due(job: Extract<ArchiverEvent, { kind: 'due' }>['job']): void {
    this.#step({ kind: 'due', job })
  }

  /** Ends the work that runs, then uploads what waits, if that goes quickly. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    clearInterval(this.#watch)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_WAIT_MS)))
    await Promise.race([this.#working.then(() => this.#uploadRest()), late])
    clearTimeout(timer)
  }

  status(): ArchiveStatus {
    const { storage, clock } = this.#options
    const { files, head } = this.#manifest.state
    const { committed, archived, behindSinceMs } = this.#state
    const nowMs = clock.monotonicMs()
    return {
      location: storage.location,
      position: head === undefined ? null : positionText(head),
      lag: Math.max(0, committed - archived),
      lagMs: behindSinceMs === undefined ? 0 : Math.round(nowMs - behindSinceMs),
      files: files.size,
      bytes: [...files.values()].reduce((sum, { bytes }) => sum + bytes, 0),
      lastDrill: this.#lastDrill,
      alerts: alertsOf(this.#state, nowMs, rulesOf(this.#options.config)),
    }
  }

  #step(event: ArchiverEvent): void {
    const { clock, config } = this.#options
    const nowMs = clock.monotonicMs()
    const { state, start, wakeAtMs } = step(this.#state, event, nowMs, rulesOf(config))
    this.#state = state
    if (this.#stopping.signal.aborted) return
    if (start !== undefined) this.#working = this.#run(start)
    if (wakeAtMs === undefined || this.#timer !== undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#step({ kind: 'tick' })
      },
      Math.max(1, wakeAtMs - nowMs),
    )
  }

  /** Never rejects: whatever happens is an event. */
  async #run(work: Work): Promise<void> {
    let event: ArchiverEvent
    try {
      event = await this.#do(work)
      if (event.kind === 'claimed') this.#firstClaim.resolve()
    } catch (error) {
      event = this.#failed(work, error)
    }
    this.#step(event)
  }

  #do(work: Work): Promise<ArchiverEvent> {
    switch (work.kind) {
      case 'claim':
        return this.#claim()
      case 'upload':
        return this.#upload(work.after)
      case 'job':
        return this.#job(work.job)
    }
  }

  async #claim(): Promise<ArchiverEvent> {
    const { cluster, storage, source, signingKey, clock, log } = this.#options
    const options = { cluster, storage, source, signingKey, manifest: this.#manifest, nowMs: clock.wallMs() }
    const { archived, needsSnapshot } = await claim(options)
    await storage.sweep()
    if (needsSnapshot) log.info({ archived }, 'the archive cannot go on from the log: a snapshot comes first')
    return { kind: 'claimed', archived, needsSnapshot }
  }

  async #upload(after: Txid): Promise<ArchiverEvent> {
    const { storage, source, config, log } = this.#options
    const merge = storage.isBucket && config.upload_every_ms > 0
    const archived = await upload({ storage, manifest: this.#manifest, source, merge }, after)
    if (archived !== undefined) return { kind: 'uploaded', archived }
    log.error(
      { after },
      'the log no longer has what the archive lacks: some transactions can only be restored together',
    )
    return { kind: 'gap' }
  }

  async #job(job: Extract<Work, { kind: 'job' }>['job']): Promise<ArchiverEvent> {
    switch (job) {
      case 'snapshot':
        return { kind: 'job done', archived: await this.#snapshot() }
      case 'compact 1':
      case 'compact 2':
      case 'compact 3':
        await compact({ storage: this.#options.storage, manifest: this.#manifest }, Number(job.at(-1)))
        break
      case 'retain':
        await this.#retain()
        break
      case 'drill':
        await this.#drill()
        break
    }
    return { kind: 'job done', archived: undefined }
  }

  #snapshot(): Promise<Txid | undefined> {
    const { storage, source, scratch, clock } = this.#options
    const leads = this.#state.needsSnapshot
    const { signal } = this.#stopping
    const path = join(scratch, 'archive-snapshot.tmp')
    return snapshot({ storage, manifest: this.#manifest, source, leads, path, nowMs: clock.wallMs(), signal })
  }

  async #retain(): Promise<void> {
    const { storage, config, clock, log } = this.#options
    const { removed, early } = await retain({ storage, manifest: this.#manifest }, retentionOf(config), clock.wallMs())
    if (early > 0)
      log.warn({ removed, early }, 'the archive has too many files: old transactions were merged before their time')
  }

  async #drill(): Promise<void> {
    const { cluster, ring, storage, signingKey, scratch, clock, entropy, onDrilled } = this.#options
    const { publicKey } = signingKey
    const path = join(scratch, 'archive-drill.tmp')
    const draw = entropy.uniform()
    const nowMs = clock.wallMs()
    const order = { location: storage.location, publicKey, cluster, ring, draw, path, nowMs }
    try {
      const drilled = await drillInThread(order, this.#stopping.signal)
      this.#lastDrill = { atMs: nowMs, ok: true, txid: drilled.txid, error: null }
      onDrilled(drilled)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#lastDrill = { atMs: nowMs, ok: false, txid: null, error: reportOf(error).message }
      if (error instanceof MacaroondError) onDrilled(error)
      throw error
    }
  }

  #failed(work: Work, error: unknown): ArchiverEvent {
    const { log, onFatal } = this.#options
    const report = reportOf(error)
    const final = error instanceof MacaroondError && FINAL.has(error.code)
    log.error({ work, error: report }, 'archiving failed')
    if (final) {
      this.#firstClaim.reject(error)
      // Before the start is over it is the start that fails; after it, the primary.
      this.#firstClaim.promise.catch(() => undefined)
      onFatal(error)
    }
    return { kind: 'failed', message: report.message, final }
  }

  /** In rounds, until nothing waits; what fails now will be uploaded at the next start. */
  async #uploadRest(): Promise<void> {
    for (;;) {
      const { claimed, ended, needsSnapshot, archived, committed } = this.#state
      if (!claimed || ended || needsSnapshot || archived >= committed) return
      const event = await this.#upload(archived).catch(() => undefined)
      if (event?.kind !== 'uploaded') return
      this.#state = { ...this.#state, archived: event.archived }
    }
  }

  /** Each is said once when it comes, and again when another one joins it. */
  #lookForAlerts(): void {
    const alerts = alertsOf(this.#state, this.#options.clock.monotonicMs(), rulesOf(this.#options.config))
    const fresh = alerts.filter((alert) => !this.#alerts.includes(alert))
    this.#alerts = alerts
    for (const alert of fresh) this.#options.log.error({ alert }, 'the archive needs attention')
  }
}
