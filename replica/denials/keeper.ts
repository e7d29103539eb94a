/**
 * Keeps the denials of this replica. Before pages of another history replace the present ones, it writes the present
 * revocations to the file of denials. After pages have become durable, it releases denials that are not needed any more. One
 * job runs at a time.
 */
import type { Entropy, Timers } from '../../shared/clock.ts'
import type { Meta } from '../../shared/database/meta.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Kid } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import { deletionMs } from '../../shared/verifier/outlived.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import type { AlarmBoard } from '../../shared/service/alarm-board.ts'
import type { AppliedState } from '../follower/core.ts'
import type { JournalPart } from '../revocations/journal-records.ts'
import type { RevocationJournal } from '../revocations/journal.ts'
import { lastMovedAside } from '../store/damaged.ts'
import { DATABASE_NAME } from '../store/open-copy.ts'
import type { Tables } from '../tables/tables.ts'
import type { Denials } from './denials.ts'
import { DenialReleaser } from './releaser.ts'
import {
  denialsInDamagedCopy,
  denialsInJournal,
  denialsInPages,
  denialsInTable,
  randomTimeline,
  savedRows,
} from './undone.ts'

export interface DenialsKeeperOptions {
  readonly folder: string
  readonly savedTable: string
  readonly file: Denials
  readonly journal: RevocationJournal
  readonly tables: Tables
  /** Revocations that are enforced in memory and not yet on the disk. */
  readonly unwritten: () => JournalPart | undefined
  /** Called when the file has other rows, so that the primary is informed. */
  readonly onChanged: () => void
  readonly onFatal: (error: unknown) => void
  /** The latest time that this replica believes, unix milliseconds; 0 while its time is in doubt. */
  readonly latestMs: () => number
  readonly alarms: Pick<AlarmBoard, 'set'>
  readonly timers: Pick<Timers, 'soon'>
  readonly entropy: Pick<Entropy, 'bytes'>
  readonly log: Log
}

const TIMELINE_BYTES = 16

export class DenialsKeeper {
  readonly #file: Denials
  readonly #options: DenialsKeeperOptions
  readonly #releaser: DenialReleaser
  #busy: Promise<unknown> = Promise.resolve()
  /** Aborts the release that is running; undefined if none is. */
  #releasing: AbortController | undefined
  /** True if further pages became durable during the release that is running. */
  #releaseAgain = false
  #installing = false
  #stopped = false
  /** True if given-up revocations are removed from the file and not yet from the table. */
  #mustRebuild = false
  /** Generation of the file that was last reported to the primary. */
  #reportedGeneration = 0

  constructor(options: DenialsKeeperOptions) {
    const { file, entropy, timers } = options
    this.#options = options
    this.#file = file
    this.#releaser = new DenialReleaser(this.#file, entropy, timers)
  }

  /**
   * Runs `install`, which replaces the pages, after all revocations of the old state are on the disk. If that fails, nothing is
   * installed and the error is thrown, usually disk_full. Throws the errors of `install` too.
   */
  async keepThenInstall(
    next: AppliedState,
    before: AppliedState | undefined,
    install: () => Promise<void>,
  ): Promise<void> {
    // Within a timeline the primary that this replica follows has all revocations that the replica had.
    if (before?.timeline === next.timeline) return install()
    this.#installing = true
    this.#releasing?.abort()
    try {
      await this.#inTurn(() => this.#keep(before))
      await install()
    } finally {
      this.#installing = false
    }
  }

  /**
   * To be called when all visible pages are durable: denials that they contain or cover can be released. A release that is
   * running does not look at these pages, so another one follows. Without it an operator's `forget` could wait for hours,
   * because the primary may write nothing else.
   */
  pagesDurable(): void {
    if (this.#installing || this.#stopped) return
    if (this.#releasing !== undefined) return void (this.#releaseAgain = true)
    const { journal, tables } = this.#options
    const { meta } = tables
    if (meta === undefined) return
    if (this.#file.size === 0 && !this.#mustRebuild && !journal.hasBefore(meta.epoch)) return
    this.#releasing = new AbortController()
    void this.#releaseAll(this.#releasing.signal).finally(() => (this.#releasing = undefined))
  }

  /** Releases until no further pages became durable meanwhile. Never rejects. */
  #releaseAll(signal: AbortSignal): Promise<void> {
    const released = this.#inTurn(async () => {
      do {
        this.#releaseAgain = false
        await this.#release(signal)
      } while (this.#releaseAgain && !signal.aborted)
    })
    return released.catch((error: unknown) => this.#failed(error))
  }

  /** Resolves when no work is running. */
  async idle(): Promise<void> {
    await this.#busy
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#releasing?.abort()
    await this.idle()
  }

  async #keep(before: AppliedState | undefined): Promise<void> {
    const { alarms, log, tables } = this.#options
    try {
      const kept = await this.#file.keep(this.#undone(before), tables.counts.revocations)
      if (kept > 0) log.warn({ kept }, 'this replica still enforces revocations of the history that it leaves')
      alarms.set('denials_not_kept', undefined)
    } catch (error) {
      alarms.set('denials_not_kept', reportOf(error).message)
      throw error
    }
  }

  async *#undone(before: AppliedState | undefined): AsyncGenerator<readonly Denial[]> {
    const { tables, unwritten } = this.#options
    const pages = tables.source
    if (before !== undefined && pages !== undefined) {
      yield* denialsInPages(pages.reader, this.#bounded(pages.meta.read()))
      const ahead = unwritten()
      return yield* denialsInJournal(ahead === undefined ? [] : [ahead], this.#orgOf)
    }
    for (const batch of this.#withoutPages()) {
      // A process that started with damaged pages has never read these rows, so its tables lack them.
      tables.deny(batch.map(rowOfDenial))
      yield batch
    }
  }

  *#withoutPages(): Generator<readonly Denial[]> {
    const { folder, savedTable, tables, entropy, log } = this.#options
    yield* denialsInDamagedCopy(lastMovedAside(folder, DATABASE_NAME), this.#bounded, log)
    const isKept = this.#file.covers.bind(this.#file)
    yield* denialsInTable(tables.denied(), randomTimeline(entropy.bytes(TIMELINE_BYTES)), isKept)
    yield* denialsInTable(savedRows(savedTable), randomTimeline(entropy.bytes(TIMELINE_BYTES)), isKept)
  }

  async #release(signal: AbortSignal): Promise<void> {
    const { journal, tables, log, onChanged } = this.#options
    const { source: pages, meta } = tables
    if (pages === undefined || meta === undefined || signal.aborted) return
    if (journal.hasBefore(meta.epoch)) await this.#moveOutOfJournal()
    const onForgotten = async (): Promise<void> => {
      this.#mustRebuild = true
      await tables.dropSaved()
    }
    const done = await this.#releaser.release(pages, this.#bounded(meta), { onForgotten, signal })
    if (this.#mustRebuild) await this.#rebuild()
    if (done.released > 0) log.info({ ...done, left: this.#file.size }, 'released revocations of an undone history')
    // Rows may have been added before the snapshot, or released now.
    if (this.#reportedGeneration !== this.#file.generation) onChanged()
    this.#reportedGeneration = this.#file.generation
  }

  /** Moves rows of earlier epochs from the journal to the denials: pages of a later epoch will never contain them. */
  async #moveOutOfJournal(): Promise<void> {
    const { journal, tables } = this.#options
    const epoch = tables.meta?.epoch
    if (epoch === undefined) return
    const parts = journal.read().filter((part) => part.epoch < epoch)
    const batches = denialsInJournal(parts, this.#orgOf)
    await this.#file.keep(toAsync(batches))
    journal.dropBefore(epoch)
  }

  /** Rebuilds the table. If a snapshot replaces the pages meanwhile, the next durable pages cause another attempt. */
  async #rebuild(): Promise<void> {
    const { tables, log } = this.#options
    if (!(await tables.rebuild(this.rowsOutsidePages()))) return
    this.#mustRebuild = false
    log.warn('the table of revocations was rebuilt without those that an operator gave up')
  }

  /**
   * All rows that are not in the pages: journal, file of denials, and rows that are on no disk. The journal is read first,
   * because its rows move to the file, and a row that moved between the two reads would be missed.
   */
  *rowsOutsidePages(): Generator<RevocationRow> {
    const { journal, unwritten } = this.#options
    yield* journal.rows()
    yield* this.#file.all()
    yield* unwritten()?.rows ?? []
  }

  /** A denial may be in no pages, so no issue clock alone decides that it is outlived. */
  readonly #bounded = (meta: Meta): Meta => {
    return { ...meta, issueClockMs: deletionMs(meta.issueClockMs, this.#options.latestMs()) }
  }

  readonly #orgOf = (kid: string): string | undefined => this.#options.tables.key(kid as Kid)?.org

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work)
    this.#busy = done.catch(() => undefined)
    return done
  }

  /** A full disk is only logged, because the next durable pages cause another attempt. Any other failure ends the node. */
  #failed(error: unknown): void {
    const { log, onFatal } = this.#options
    if (error instanceof MacaroondError && error.code === 'disk_full')
      return log.warn({ error: reportOf(error) }, error.message)
    onFatal(error)
  }
}

async function* toAsync<T>(batches: Iterable<T>): AsyncGenerator<T> {
  yield* batches
}
