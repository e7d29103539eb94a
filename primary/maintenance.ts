/**
 * Maintains the commit log while the primary runs: checkpoints, the watch for writes by other programs, the disk's reserve,
 * and the scrub. The primary stops if one of them shows that the database cannot be trusted.
 */
import { REPAIR_HINT } from '../shared/repair-hint.ts'
import { join } from 'node:path'
import type { Clock, Timers } from '../shared/clock.ts'
import { checksumOf } from '../shared/database/pages-checksum.ts'
import { MacaroondError } from '../shared/errors.ts'
import { checksumText } from '../shared/ids.ts'
import type { Log } from '../shared/log.ts'
import type { AlarmBoard } from '../shared/service/alarm-board.ts'
import { CheckpointPace, type Hindrance } from '../shared/sqlite/checkpoint-pace.ts'
import type { GuardedOutcome } from '../shared/sqlite/checkpointer.ts'
import { AuditWatch } from '../shared/service/audit-watch.ts'
import type { Schedule } from '../shared/service/schedule.ts'
import type { CommitLog } from './commit-log/commit-log.ts'
import { isDiskFull } from './commit-log/disk-room.ts'
import type { PrimaryConfig } from './config.ts'

export interface MaintenanceOptions {
  readonly commitLog: CommitLog
  readonly alarms: Pick<AlarmBoard, 'set'>
  readonly config: Pick<PrimaryConfig, 'data' | 'checkpoint' | 'maintenance'>
  readonly clock: Timers & Pick<Clock, 'monotonicMs'>
  readonly schedule: Schedule
  readonly log: Log
  /** Called about once a second, after each look at the disk. */
  readonly onWatched: () => void
  /** Called if the database can no longer be trusted. */
  readonly onFatal: (error: unknown) => void
}

/** Interval for the check for foreign writes, the retry of a stalled segment, and the refill of the disk's reserve. */
const WATCH_MS = 1_000

export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #audit: AuditWatch
  readonly #stop = new AbortController()
  readonly #cancels: (() => void)[] = []
  readonly #pace: CheckpointPace
  #scrubbing: Promise<void> | undefined
  #auditing: Promise<void> | undefined

  constructor(options: MaintenanceOptions) {
    this.#options = options
    const { commitLog, config, clock: timers, alarms, log } = options
    const path = join(config.data, 'audit-checked.json')
    this.#audit = new AuditWatch({ path, db: () => commitLog.db, mayLag: false, timers, alarms, log })
    this.#pace = new CheckpointPace(config.checkpoint.pages, timers)
  }

  start(): void {
    const { config, log, clock, schedule } = this.#options
    const scrub = { name: 'scrub', at: config.maintenance.scrub, run: () => this.scrub() }
    this.#cancels.push(
      clock.every(WATCH_MS, () => this.#watch()),
      schedule(scrub, log),
    )
    this.#auditing = this.#audit.sinceLast(this.#stop.signal)
  }

  /** Called after each commit: starts a checkpoint if one is due. */
  committed(): void {
    const { clock, commitLog } = this.#options
    if (this.#pace.isDue(commitLog.walFrames)) clock.soon(() => void this.#checkpoint())
  }

  /** Compares the checksum of all pages with the expected one, then checks the audit chain. */
  scrub(): Promise<void> {
    this.#scrubbing ??= this.#compareAllPages().finally(() => (this.#scrubbing = undefined))
    return this.#scrubbing
  }

  /** Ends running work, then runs a last checkpoint, unless the disk is full. Throws storage errors. */
  async stop(): Promise<void> {
    this.#stop.abort()
    for (const cancel of this.#cancels) cancel()
    await Promise.all([this.#scrubbing, this.#auditing])
    await this.#runCheckpoint()
  }

  async #checkpoint(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#pace.began(this.#options.commitLog.walFrames)
    await this.#runCheckpoint().catch((error: unknown) => this.#options.onFatal(error))
  }

  async #runCheckpoint(): Promise<void> {
    const { commitLog, log, alarms } = this.#options
    try {
      const outcome = await commitLog.checkpoint()
      log.debug({ outcome }, 'checkpoint')
      this.#pace.ended(hindranceOf(outcome))
      alarms.set('wal_growing', this.#pace.alarmDetail(commitLog.walFrames))
    } catch (error) {
      // Nothing is lost: the pages are still in the WAL.
      if (!isDiskFull(error)) throw error
      commitLog.room.noteFull()
      log.error('the disk is full, so the checkpoint failed')
    }
  }

  /** An error other than a full disk stops the primary: another program has written, or the WAL cannot be read. */
  #watch(): void {
    const { commitLog, log, onFatal, onWatched } = this.#options
    try {
      if (commitLog.stalled) commitLog.logStalled()
      else commitLog.checkNoForeignWrite()
      commitLog.room.refill()
      if (this.#pace.isOverdue()) void this.#checkpoint()
    } catch (error) {
      if (!isDiskFull(error)) return onFatal(error)
      commitLog.room.noteFull()
      log.error('the disk is still full')
    }
    onWatched()
  }

  async #compareAllPages(): Promise<void> {
    const { commitLog, log, onFatal, clock } = this.#options
    const expected = commitLog.head.checksum
    const found = await checksumOf(commitLog.pin(), clock, this.#stop.signal)
    if (found === undefined) return
    if (found === expected) {
      log.info('scrub: every page has its recorded content')
      return this.#audit.whole(this.#stop.signal)
    }
    const message = `the pages give checksum ${checksumText(found)}, not ${checksumText(expected)}: the disk changed them`
    onFatal(new MacaroondError('database_corrupt', message, { hint: REPAIR_HINT }))
  }
}

/** The reader that blocked the checkpoint. `unconsumed` and `busy` pass by themselves, and no reader causes them. */
function hindranceOf({ kind }: GuardedOutcome): Hindrance | undefined {
  if (kind === 'pinned') return 'pinned'
  return kind === 'partial' ? 'reader' : undefined
}
