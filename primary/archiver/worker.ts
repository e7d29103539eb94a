/**
 * Carries out the archiver's work as the core orders it, one at a time in each lane, and returns the result as an event. It
 * holds the open storage and the manifest's writer. It decides nothing about order or retries.
 */
import type { Drilled, DrillRunner } from './drill/drill.ts'
import type { ArchivedFile } from '../../shared/archive/layout.ts'
import { requireCreateIfAbsent } from './chain/claim-epoch.ts'
import { type ChainLink, ManifestWriter } from './chain/manifest-writer.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import type { Entropy, NodeClock } from '../../shared/clock.ts'
import type { ArchiveChain } from '../../shared/database/archive-chains.ts'
import type { SigningKey } from '../../shared/database/signing-key.ts'
import { assert, MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Txid } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import type { Position } from '../../shared/position.ts'
import type { ArchiveDamage } from '../../shared/protocol/archive-repair.ts'
import type { ArchiveStatus } from '../../shared/protocol/status.ts'
import type { AlarmCode } from '../../shared/alarms.ts'
import type { Kek } from '../../shared/sealing.ts'
import { isDiskFull } from '../commit-log/disk-room.ts'
import { claim } from './chain/claim.ts'
import { compact } from './files/compact.ts'
import { type ArchiveConfig, retentionOf } from './config.ts'
import { proveArrival } from './files/heartbeat.ts'
import { requireKnownPlace } from './chain/known-place.ts'
import { inspectDamage, isCovered } from './chain/repair.ts'
import { retain } from './files/retain.ts'
import {
  uploadSnapshot,
  type UploadedSnapshot,
  recordSnapshot,
  snapshot,
  type SnapshotOptions,
} from './files/snapshot.ts'
import { DeletionClock } from '../../shared/deletion-clock.ts'
import type { CommittedHistory } from './source.ts'
import type { ArchiverEvent, BackgroundJobName, ChainJobName, JobName, ArchiveWork } from './state.ts'
import { upload } from './files/upload.ts'

export interface WorkerOptions {
  readonly config: ArchiveConfig
  readonly cluster: string
  /** The location for messages and for drills. */
  readonly location: string
  /**
   * Opens the place. `create`: it may be new, and is created then. A failed call is retried later, so it keeps no primary down.
   */
  readonly open: (create: boolean) => Promise<ArchiveStorage>
  readonly drill: DrillRunner
  readonly source: CommittedHistory
  readonly signingKey: SigningKey
  readonly ring: readonly Kek[]
  /** Prefix of the scratch files, on the primary's own disk. */
  readonly scratch: string
  readonly clock: NodeClock
  readonly entropy: Entropy
  readonly log: Log
  /** Raises an alarm of this archive, or ends it if `detail` is undefined. */
  readonly alarm: (code: AlarmCode, detail: string | undefined) => void
  /** Minimum number of changes before a base is written. */
  readonly baseAfter?: number | undefined
  /** True while the primary’s disk is full. No work that needs room on it may begin then. */
  readonly diskFull: () => boolean
  /** Called if a write failed for want of room on the archive's disk, or on the primary's, which holds the scratch files. */
  readonly onDiskFull: () => void
  /** The recorded chains of this place, and of the others, because a new configuration may have changed the order of places. */
  readonly recordedChains: () => {
    readonly here: ArchiveChain | undefined
    readonly elsewhere: readonly ArchiveChain[]
  }
  /** Called after a repair. The database must then record it. */
  readonly onRepaired: () => void
  /** True if the operator abandons the recorded archive. */
  readonly newArchive: boolean
  /** Called after each drill, for the audit. */
  readonly onDrilled: (outcome: Drilled | MacaroondError) => void
}

interface Opened {
  readonly storage: ArchiveStorage
  readonly manifest: ManifestWriter
}

/** Its start is in monotonic time, so that setting the wall clock does not change it. */
type LastDrill = Omit<NonNullable<ArchiveStatus['lastDrill']>, 'atMs'> & { readonly begunMs: number }

/** Jobs that are not started while the primary’s disk is full, because they need room on it. Uploads and retention go on. */
const NEEDS_DISK_ROOM: ReadonlySet<JobName> = new Set(['snapshot', 'compact 1', 'compact 2', 'compact 3', 'drill'])

const NO_FILES: ReadonlyMap<string, ArchivedFile> = new Map()

export class ArchiveWorker {
  readonly #options: WorkerOptions
  readonly #deletionClock: DeletionClock
  readonly #signal: AbortSignal
  #open: Opened | undefined
  #lastDrill: LastDrill | undefined
  /**
   * True while a snapshot's file is being uploaded. A sweep must not run then, because it deletes incomplete files.
   */
  #isUploadingSnapshot = false
  #uploadedSnapshot: UploadedSnapshot | undefined
  /** True once this process has seen that the store creates objects only if absent. */
  #isProven = false
  /** True if a file was found damaged or missing: the next claim checks all files. */
  #filesBad = false
  /** The losses that an operator has confirmed. A claim repairs no others. */
  #confirmed: ArchiveDamage | undefined
  #damage: ArchiveDamage | undefined
  #readBack: ChainLink | undefined
  #repaired: string | undefined

  /** `signal` aborts long work. */
  constructor(options: WorkerOptions, signal: AbortSignal) {
    this.#options = options
    this.#deletionClock = new DeletionClock(options.clock)
    this.#signal = signal
  }

  get contents(): { readonly files: ReadonlyMap<string, ArchivedFile>; readonly head: Position | undefined } {
    return this.#open?.manifest.state ?? { files: NO_FILES, head: undefined }
  }

  /** Damage that needs an operator's decision; undefined if there is none. */
  get damage(): ArchiveDamage | undefined {
    return this.#damage?.problems.length === 0 ? undefined : this.#damage
  }

  /** An operator has confirmed the reported losses, so the next claim may begin the chain anew if it finds no others. */
  allowRepair(): void {
    this.#confirmed = this.damage
  }

  /** Returns what the database should record: an entry that was read back, and the repairs since the last start. */
  get toRecord(): { readonly link: ChainLink | undefined; readonly repaired: string | undefined } {
    return { link: this.#readBack, repaired: this.#repaired }
  }

  /** An operator has seen the repairs, so their alarm ends. */
  acknowledgeRepairs(): void {
    this.#repaired = ''
    this.#readBack ??= this.#open?.manifest.newest
  }

  get lastDrill(): ArchiveStatus['lastDrill'] {
    const { clock } = this.#options
    if (this.#lastDrill === undefined) return null
    const { begunMs, ...drilled } = this.#lastDrill
    return { atMs: Math.round(clock.wallMs() - (clock.monotonicMs() - begunMs)), ...drilled }
  }

  /** `bridgesGap`: the log lacks the transaction after the archive's last one, so this snapshot becomes the head. */
  async do(work: ArchiveWork, bridgesGap: boolean): Promise<ArchiverEvent> {
    if ((work.kind === 'job' || work.kind === 'background') && this.mustWait(work.job)) throw waitsForRoom(work.job)
    try {
      return await this.#do(work, bridgesGap)
    } catch (error) {
      if (isDiskFull(error)) this.#options.onDiskFull()
      if (work.kind !== 'background') await this.#noteDamage(error)
      throw this.#isProven ? notFinal(error) : error
    }
  }

  /** True if this job has to wait until the primary’s disk has room. */
  mustWait(job: JobName): boolean {
    return NEEDS_DISK_ROOM.has(job) && this.#options.diskFull()
  }

  #do(work: ArchiveWork, bridgesGap: boolean): Promise<ArchiverEvent> {
    switch (work.kind) {
      case 'claim':
        return this.#claim()
      case 'upload':
        return this.upload(work.after)
      case 'job':
        return this.#job(work.job, bridgesGap)
      case 'background':
        return this.#background(work.job)
    }
  }

  async upload(after: Txid): Promise<ArchiverEvent> {
    const { source, config, clock, log } = this.#options
    const { storage, manifest } = this.#opened
    const merge = storage.isBucket && config.upload_every_ms > 0
    const archived = await upload({ storage, manifest, source, merge, timers: clock }, after)
    if (archived !== undefined) return { kind: 'uploaded', archived }
    log.error(
      { after },
      'the log no longer holds transactions that the archive lacks: a snapshot follows, and they can only be restored together',
    )
    return { kind: 'gap' }
  }

  get #opened(): Opened {
    assert(this.#open !== undefined, 'nothing is done before the claim')
    return this.#open
  }

  async #claim(): Promise<ArchiverEvent> {
    const { cluster, source, signingKey, clock, log, alarm } = this.#options
    const { opened, known } = await this.#openPlace()
    this.#open = opened
    const confirmed = this.#confirmed
    const mayRepair = confirmed && ((damage: ArchiveDamage): boolean => isCovered(damage, confirmed))
    const repairing = { known, mayRepair, filesBad: this.#filesBad }
    const common = { ...opened, cluster, source, signingKey, timers: clock, nowMs: clock.wallMs() }
    const { archived, needsSnapshot, lastWriteMs, lateTransactions, repaired } = await claim({
      ...common,
      ...repairing,
    })
    this.#claimed(known, repaired)
    alarm('archive_late_transactions', lateTransactions)
    this.#deletionClock.startFrom(lastWriteMs)
    if (!this.#isUploadingSnapshot) await opened.storage.sweep()
    if (needsSnapshot)
      log.info({ archived }, 'the log lacks the transaction after the last one of the archive: a snapshot comes first')
    return { kind: 'claimed', archived, needsSnapshot }
  }

  #claimed(known: ChainLink | undefined, repaired: readonly string[]): void {
    const { log } = this.#options
    this.#confirmed = undefined
    this.#filesBad = false
    this.#damage = undefined
    if (repaired.length > 0) {
      log.error({ repaired }, 'the archive had lost objects: it was repaired as far as possible')
      this.#repaired = repaired.join('; ')
    }
    if (known === undefined || repaired.length > 0) this.#readBack = this.#opened.manifest.newest
    if (repaired.length > 0) this.#options.onRepaired()
  }

  /**
   * Opens the place again for every claim, because a mount may have changed. Nothing is written before the archive is
   * recognized. Throws archive_missing.
   */
  async #openPlace(): Promise<{ readonly opened: Opened; readonly known: ChainLink | undefined }> {
    const { open, entropy, source, signingKey } = this.#options
    const before = this.#open?.manifest
    const links = this.#recordedLinks(before)
    const storage = await open(links === undefined)
    const { timeline, head } = source
    const owner = { publicKey: signingKey.publicKey, epoch: head.epoch, timeline }
    const known = links === undefined ? undefined : await requireKnownPlace(storage, links, owner)
    if (!this.#isProven) await requireCreateIfAbsent(storage, entropy)
    this.#isProven = true
    return { opened: { storage, manifest: before?.withStorage(storage) ?? this.#writer(storage, known) }, known }
  }

  #recordedLinks(before: ManifestWriter | undefined): readonly [ChainLink, ...ChainLink[]] | undefined {
    const { recordedChains, newArchive } = this.#options
    if (before?.newest !== undefined) return [before.newest]
    const { here, elsewhere } = recordedChains()
    return here === undefined || newArchive ? undefined : [here, ...elsewhere]
  }

  #writer(storage: ArchiveStorage, known: ChainLink | undefined): ManifestWriter {
    const { cluster, source, signingKey, clock, baseAfter } = this.#options
    const { timeline, head } = source
    const place = { storage, cluster, epoch: head.epoch, timeline, known }
    return new ManifestWriter({ ...place, signingKey, wallMs: clock.wallMs, baseAfter })
  }

  /** After archive_damaged: describes the damage for the operator, and makes the next claim check all files. */
  async #noteDamage(error: unknown): Promise<void> {
    if (!(error instanceof MacaroondError) || error.code !== 'archive_damaged') return
    this.#filesBad = true
    const { signingKey } = this.#options
    const known = this.#open?.manifest.newest ?? this.#options.recordedChains().here
    if (this.#open === undefined) return
    this.#damage = await inspectDamage({ storage: this.#open.storage, signingKey, known }).catch(() => undefined)
  }

  async #job(job: ChainJobName, bridgesGap: boolean): Promise<ArchiverEvent> {
    switch (job) {
      case 'snapshot':
        return {
          kind: 'job done',
          archived: bridgesGap ? await snapshot(this.#snapshotOptions(true)) : await this.#record(),
        }
      case 'compact 1':
      case 'compact 2':
      case 'compact 3':
        await compact({ ...this.#opened, timers: this.#options.clock }, Number(job.at(-1)))
        break
      case 'retain':
        await this.#retain()
        break
      case 'heartbeat':
        await this.#beat()
        break
    }
    return { kind: 'job done', archived: undefined }
  }

  async #beat(): Promise<void> {
    const { claimsMissing } = await proveArrival(this.#opened)
    const detail = claimsMissing.length === 0 ? undefined : `epoch ${claimsMissing.join(', ')}`
    this.#options.alarm('archive_claim_missing', detail)
    this.#readBack = this.#opened.manifest.newest
  }

  async #background(job: BackgroundJobName): Promise<ArchiverEvent> {
    if (job === 'drill') await this.#drill()
    else await this.#uploadSnapshot()
    return { kind: 'background done' }
  }

  async #uploadSnapshot(): Promise<void> {
    this.#isUploadingSnapshot = true
    try {
      this.#uploadedSnapshot = await uploadSnapshot(this.#snapshotOptions(false))
    } finally {
      this.#isUploadingSnapshot = false
    }
  }

  #record(): Promise<Txid | undefined> {
    const put = this.#uploadedSnapshot
    assert(put !== undefined, 'a snapshot is uploaded before it is recorded')
    this.#uploadedSnapshot = undefined
    return recordSnapshot({ ...this.#opened, bridgesGap: false }, put)
  }

  #snapshotOptions(bridgesGap: boolean): SnapshotOptions {
    const { source, scratch, clock } = this.#options
    const path = `${scratch}-snapshot.tmp`
    const signal = this.#signal
    return { ...this.#opened, source, bridgesGap, path, signal, timers: clock }
  }

  async #retain(): Promise<void> {
    const { config, log } = this.#options
    const { removed, early } = await retain(this.#opened, retentionOf(config), this.#deletionClock.nowMs())
    if (early > 0)
      log.warn(
        { removed, early },
        'the archive exceeds files_max or bytes_max: files of single transactions were deleted early',
      )
  }

  async #drill(): Promise<void> {
    const { cluster, ring, location, signingKey, scratch, clock, entropy, drill, onDrilled } = this.#options
    const { publicKey } = signingKey
    const path = `${scratch}-drill.tmp`
    const begunMs = clock.monotonicMs()
    const nowMs = clock.wallMs()
    const entry = this.#opened.manifest.state.seq
    const request = { location, publicKey, entry, cluster, ring, draw: entropy.uniform(), path, nowMs }
    try {
      const drilled = await drill(request, this.#signal)
      this.#lastDrill = { begunMs, ok: true, txid: drilled.txid, error: null }
      onDrilled(drilled)
    } catch (error) {
      if (this.#signal.aborted) return
      this.#lastDrill = { begunMs, ok: false, txid: null, error: reportOf(error).message }
      if (error instanceof MacaroondError) onDrilled(error)
      throw error
    }
  }
}

/**
 * A store that has created objects only if absent can do so. If it answers once that it cannot, a gateway is at fault, and a
 * later try may succeed.
 */
function notFinal(error: unknown): unknown {
  if (!(error instanceof MacaroondError) || error.code !== 'platform_unsupported') return error
  return new MacaroondError('archive_unavailable', error.message, {
    hint: 'the store could do so before: check the gateways between this primary and the store',
    cause: error,
  })
}

function waitsForRoom(job: JobName): MacaroondError {
  return new MacaroondError('disk_full', `${job} waits until the disk of the primary has room`, {
    hint: 'free space on the volume of `data`; archiving then resumes by itself',
  })
}
