/**
 * Keeps the denials of this replica. Before the pages of another history are installed it writes their revocations to the file
 * of denials; after pages became durable it releases those that are no longer needed. All work runs in turn, never at once.
 */
import type { Entropy, Timers } from '../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Kid } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import type { AlarmBoard } from '../../shared/service/alarm-board.ts'
import type { AppliedState } from '../follower/core.ts'
import type { JournalPart } from '../revocations/journal-records.ts'
import type { RevocationJournal } from '../revocations/journal.ts'
import { lastMovedAside } from '../store/damaged.ts'
import { DATABASE_NAME } from '../store/open-copy.ts'
import type { Tables } from '../tables/tables.ts'
import type { Denials } from './denials.ts'
import { Settlement } from './settlement.ts'
import { ofDamaged, ofJournal, ofPages, ofTable, ownTimeline, savedRows } from './undone.ts'

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
  readonly alarms: Pick<AlarmBoard, 'set'>
  readonly timers: Pick<Timers, 'soon'>
  readonly entropy: Pick<Entropy, 'bytes'>
  readonly log: Log
}

const TIMELINE_BYTES = 16

export class DenialsKeeper {
  readonly #file: Denials
  readonly #options: DenialsKeeperOptions
  readonly #settlement: Settlement
  #busy: Promise<unknown> = Promise.resolve()
  /** Aborts the settlement that is running; undefined if none is. */
  #settling: AbortController | undefined
  #installing = false
  #stopped = false
  /** True if given-up revocations are removed from the file and not yet from the table. */
  #mustRebuild = false
  /** Generation of the file that the primary was informed of. */
  #told = 0

  constructor(options: DenialsKeeperOptions) {
    const { file, entropy, timers } = options
    this.#options = options
    this.#file = file
    this.#settlement = new Settlement(this.#file, entropy, timers)
  }

  /**
   * Runs `install`, which replaces the pages, after all revocations of the old state are on the disk. If that fails, nothing is
   * installed and the error is thrown, usually disk_full. Throws the errors of `install` too.
   */
  async around(next: AppliedState, before: AppliedState | undefined, install: () => Promise<void>): Promise<void> {
    // Within a timeline the primary that this replica follows has all revocations that the replica had.
    if (before?.timeline === next.timeline) return install()
    this.#installing = true
    this.#settling?.abort()
    try {
      await this.#inTurn(() => this.#keep(before))
      await install()
    } finally {
      this.#installing = false
    }
  }

  /** To be called when all visible pages are durable: some denials may be released now. */
  durable(): void {
    if (this.#settling !== undefined || this.#installing || this.#stopped) return
    const { journal, tables } = this.#options
    const { meta } = tables
    if (meta === undefined) return
    if (this.#file.size === 0 && !this.#mustRebuild && !journal.hasBefore(meta.epoch)) return
    const settling = new AbortController()
    this.#settling = settling
    void this.#inTurn(() => this.#settle(settling.signal))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => (this.#settling = undefined))
  }

  /** Resolves when no work is running. */
  async idle(): Promise<void> {
    await this.#busy
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#settling?.abort()
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
      yield* ofPages(pages.reader, pages.meta.read())
      const ahead = unwritten()
      return yield* ofJournal(ahead === undefined ? [] : [ahead], this.#orgOf)
    }
    for (const batch of this.#besidePages()) {
      // A process that started with damaged pages has never read these rows, so its tables lack them.
      tables.deny(batch.map(rowOfDenial))
      yield batch
    }
  }

  *#besidePages(): Generator<readonly Denial[]> {
    const { folder, savedTable, tables, entropy, log } = this.#options
    yield* ofDamaged(lastMovedAside(folder, DATABASE_NAME), log)
    const isHere = this.#file.has.bind(this.#file)
    yield* ofTable(tables.denied(), ownTimeline(entropy.bytes(TIMELINE_BYTES)), isHere)
    yield* ofTable(savedRows(savedTable), ownTimeline(entropy.bytes(TIMELINE_BYTES)), isHere)
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const { journal, tables, log, onChanged } = this.#options
    const { source: pages, meta } = tables
    if (pages === undefined || meta === undefined || signal.aborted) return
    if (journal.hasBefore(meta.epoch)) await this.#moveOutOfJournal()
    const onForgotten = async (): Promise<void> => {
      this.#mustRebuild = true
      await tables.dropSaved()
    }
    const settled = await this.#settlement.settle(pages, meta, { onForgotten, signal })
    if (this.#mustRebuild) await this.#rebuild()
    if (settled.released > 0)
      log.info({ ...settled, left: this.#file.size }, 'released revocations of an undone history')
    // Rows were added before the snapshot, or released now.
    if (this.#told !== this.#file.generation) onChanged()
    this.#told = this.#file.generation
  }

  /** Moves rows of earlier epochs from the journal to the denials: pages of a later epoch will never contain them. */
  async #moveOutOfJournal(): Promise<void> {
    const { journal, tables } = this.#options
    const epoch = tables.meta?.epoch
    if (epoch === undefined) return
    const parts = journal.read().filter((part) => part.epoch < epoch)
    const batches = ofJournal(parts, this.#orgOf)
    await this.#file.keep(lazily(batches))
    journal.dropBefore(epoch)
  }

  /** Rebuilds the table. If the pages are replaced during that, it is tried again with the next durable pages. */
  async #rebuild(): Promise<void> {
    const { tables, log } = this.#options
    if (!(await tables.rebuild(this.kept()))) return
    this.#mustRebuild = false
    log.warn('the table of revocations was rebuilt without those that an operator gave up')
  }

  /** Rows of all files except the pages, then rows on no disk. The journal is first, because its rows move to the file. */
  *kept(): Generator<RevocationRow> {
    const { journal, unwritten } = this.#options
    yield* journal.rows()
    yield* this.#file.all()
    yield* unwritten()?.rows ?? []
  }

  readonly #orgOf = (kid: string): string | undefined => this.#options.tables.key(kid as Kid)?.org

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work)
    this.#busy = done.catch(() => undefined)
    return done
  }

  /** A full disk is logged, and the work is tried again with the next pages. After any other failure the node must end. */
  #failed(error: unknown): void {
    const { log, onFatal } = this.#options
    if (error instanceof MacaroondError && error.code === 'disk_full')
      return log.warn({ error: reportOf(error) }, error.message)
    onFatal(error)
  }
}

async function* lazily<T>(batches: Iterable<T>): AsyncGenerator<T> {
  yield* batches
}
