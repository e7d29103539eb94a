/** The maintenance of a replica: checkpoints, the scrub of its copy and audit, and the sweep and saving of its tables. */
import { MacaroondError, reportOf } from '../shared/errors.ts'
import type { Host } from '../shared/service/host.ts'
import { CHECKPOINT_RETRY_MS } from '../shared/limits.ts'
import type { Log } from '../shared/log.ts'
import type { AlarmBoard } from '../shared/service/alarm-board.ts'
import type { AuditWatch } from '../shared/service/audit-watch.ts'
import { CheckpointPace } from '../shared/sqlite/checkpoint-pace.ts'
import type { ReplicaConfig } from './config.ts'
import type { DenialsKeeper } from './denials/keeper.ts'
import type { Freshness } from './freshness/freshness.ts'
import type { DatabaseCopy } from './store/database-copy.ts'
import type { PageScrub } from './store/page-scrub.ts'
import type { Tables } from './tables/tables.ts'

export interface UpkeepOptions {
  readonly config: Pick<ReplicaConfig, 'checkpoint' | 'maintenance'>
  readonly host: Host
  readonly log: Log
  readonly alarms: Pick<AlarmBoard, 'set'>
  readonly copy: DatabaseCopy
  readonly pageScrub: PageScrub
  readonly tables: Tables
  readonly audit: Pick<AuditWatch, 'sinceLast' | 'whole'>
  readonly freshness: Pick<Freshness, 'deletionMs'>
  readonly keeper: Pick<DenialsKeeper, 'compareTable'>
  readonly onFatal: (error: unknown) => void
}

export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #stopped = new AbortController()
  readonly #cancelJobs: (() => void)[] = []
  readonly #pace: CheckpointPace
  #scrubbing: Promise<void> | undefined
  #sweeping: Promise<void> | undefined
  #auditing: Promise<void> | undefined

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#pace = new CheckpointPace(options.config.checkpoint.pages, options.host.clock)
  }

  /** `onDamaged` is called when the scrub finds pages that differ from the applied ones: a snapshot must replace them. */
  start(onDamaged: () => void): void {
    const { config, host, log, pageScrub } = this.#options
    pageScrub.start(onDamaged)
    const { scrub, sweep } = config.maintenance
    this.#cancelJobs.push(
      host.schedule({ name: 'scrub', at: scrub, run: () => this.#scrub() }, log),
      host.schedule({ name: 'sweep', at: sweep, run: () => this.#sweep() }, log),
      host.clock.every(CHECKPOINT_RETRY_MS, () => void (this.#pace.isOverdue() && this.#checkpoint()), {
        background: true,
      }),
    )
    this.#auditing = this.#options.audit.sinceLast(this.#stopped.signal)
  }

  /** Resolves when no job runs any more. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    for (const cancel of this.#cancelJobs) cancel()
    await Promise.all([this.#options.pageScrub.stop(), this.#scrubbing, this.#sweeping, this.#auditing])
  }

  /** To be called after pages were applied: the WAL may have grown enough for a checkpoint. */
  applied(): void {
    const { copy, host } = this.#options
    if (this.#pace.isDue(copy.walFrames)) host.clock.soon(() => void this.#checkpoint())
  }

  /** Saves the tables. A failure is only logged, because without the saved table the next start just takes longer. */
  async saveTables(): Promise<void> {
    const { tables, log } = this.#options
    try {
      await tables.save()
    } catch (error) {
      log.warn({ error: reportOf(error) }, 'the table of revocations could not be saved')
    }
  }

  async #checkpoint(): Promise<void> {
    if (this.#stopped.signal.aborted) return
    const { copy, alarms, onFatal } = this.#options
    this.#pace.began(copy.walFrames)
    try {
      const hindrance = await copy.checkpoint()
      if (hindrance === undefined) this.#pace.emptied()
      else this.#pace.ended(hindrance)
      alarms.set('wal_growing', this.#pace.alarmDetail(copy.walFrames))
      alarms.set('disk_full', undefined)
    } catch (error) {
      const full = error instanceof MacaroondError && error.code === 'disk_full'
      // On a full disk the pages stay in the WAL, so nothing is lost.
      if (full) alarms.set('disk_full', 'no checkpoint')
      else onFatal(error)
    }
  }

  #scrub(): Promise<void> {
    this.#scrubbing ??= this.#readWholeCopy().finally(() => (this.#scrubbing = undefined))
    return this.#scrubbing
  }

  async #readWholeCopy(): Promise<void> {
    const { pageScrub, log } = this.#options
    if ((await pageScrub.run()) !== 'sound') return
    log.info('scrub: every page is as it was applied')
    // A sweep moves entries of the table, so the comparison waits for it.
    await this.#sweeping
    await this.#compareTable()
    await this.#options.audit.whole(this.#stopped.signal)
  }

  /** Compares the table, by which tokens are judged, with the files that it was made from. A difference is an alarm. */
  async #compareTable(): Promise<void> {
    const { keeper, alarms, log } = this.#options
    const findings = await keeper.compareTable(this.#stopped.signal)
    if (findings === undefined) return log.debug('scrub: the table of revocations changed too much to be compared')
    const { missing, unaccounted } = findings
    log.info(findings, 'scrub: the table of revocations was compared with the files')
    alarms.set('table_incomplete', missing === 0 ? undefined : `${missing}, refused again from now on`)
    alarms.set('table_unaccounted', unaccounted === 0 ? undefined : `${unaccounted}`)
  }

  #sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepTables().finally(() => (this.#sweeping = undefined))
    return this.#sweeping
  }

  /** Sweeps by the issue clock in the pages, limited by this replica's deletion clock. */
  async #sweepTables(): Promise<void> {
    const { freshness, tables, log } = this.#options
    const before = tables.counts.revocations
    await tables.sweep(freshness.deletionMs(), this.#stopped.signal)
    await this.saveTables()
    log.info({ dropped: before - tables.counts.revocations }, 'sweep: outlived revocations were deleted from memory')
  }
}
