/**
 * Keeps the denials of this replica. Before pages of another history replace the present ones, it writes the present
 * revocations to the file of denials. After pages have become durable, it releases denials that are not needed any more. One
 * job runs at a time.
 */
import type { Entropy, Timers } from '../../shared/clock.ts'
import type { Meta } from '../../shared/database/meta.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Epoch, Kid } from '../../shared/ids.ts'
import type { Log } from '../../shared/log.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import { readForgotten } from '../../shared/database/forgotten.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import { type CutOffs, isCoveredByBroader } from '../../shared/verifier/cut-offs.ts'
import { deletionMs, isOutlived } from '../../shared/verifier/outlived.ts'
import type { KnownRevocation, RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import type { AlarmBoard } from '../../shared/service/alarm-board.ts'
import type { JournalPart } from '../revocations/journal-records.ts'
import type { RevocationJournal } from '../revocations/journal.ts'
import type { Replacement, ScrubOutcome } from '../store/database-copy.ts'
import type { TableFindings } from '../tables/census.ts'
import type { Tables } from '../tables/tables.ts'
import type { Denials } from './denials.ts'
import { DenialReleaser, type DurablePages } from './releaser.ts'
import { denialsInMovedCopy } from './moved-copy.ts'
import { denialsInJournal, denialsInPages, denialsInTable, randomTimeline } from './undone.ts'

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
  /** The time by which this replica deletes revocations, unix milliseconds; 0 while its time is in doubt. */
  readonly deletionMs: () => number
  /** Compares all pages of the copy with their checksum. */
  readonly scrubPages: () => Promise<ScrubOutcome>
  /** Makes the visible pages durable. */
  readonly syncPages: () => void
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
  /** The newest durable pages that no release has looked at; undefined if there are none. */
  #durable: DurablePages | undefined
  /** Aborts the comparison of table and files that is running; undefined if none is. */
  #accounting: AbortController | undefined
  /** Files whose damage was found and not mended yet, with the error. */
  readonly #damaged = new Map<'journal' | 'denials', unknown>()
  #installing = false
  #stopped = false
  /** Given-up revocations that are removed from the file, or will be, and not yet from the table. */
  #givenUp: Revocations[] = []
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
  async keepThenInstall(replacement: Replacement, install: () => Promise<void>): Promise<void> {
    // Within a timeline the primary that this replica follows has all revocations that the replica had.
    if (replacement.recorded?.timeline === replacement.next.timeline) return install()
    this.#installing = true
    this.#releasing?.abort()
    this.#accounting?.abort()
    try {
      await this.#inTurn(() => this.#keep(replacement))
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
    const { journal, tables } = this.#options
    const { meta, source } = tables
    if (meta === undefined || source === undefined) return
    if (this.#file.size === 0 && this.#givenUp.length === 0 && !journal.hasBefore(meta.epoch)) return
    // Read now: pages that become visible later may not be durable when the release reaches them.
    this.#durable = { meta, forgotten: readForgotten(source.reader, meta.schema) }
    if (this.#releasing !== undefined) return
    this.#releasing = new AbortController()
    void this.#releaseAll(this.#releasing.signal).finally(() => (this.#releasing = undefined))
  }

  /** Releases until no further pages became durable meanwhile. Never rejects. */
  #releaseAll(signal: AbortSignal): Promise<void> {
    const released = this.#inTurn(async () => {
      while (this.#durable !== undefined && !signal.aborted) {
        const durable = this.#durable
        this.#durable = undefined
        await this.#release(durable, signal).catch(async (error: unknown) => {
          if (!isDamaged(error)) throw error
          await this.#account(signal)
          await this.#release(durable, signal)
        })
      }
    })
    return released.catch((error: unknown) => this.#failed(error))
  }

  /**
   * Compares the table with all files, adds to it what it lacks, and writes down as denials what no file has. Then it rewrites
   * damaged files without their damaged part. Undefined if it was aborted; then nothing is rewritten.
   */
  async compareTable(signal: AbortSignal): Promise<TableFindings | undefined> {
    const accounting = new AbortController()
    this.#accounting = accounting
    return this.#inTurn(() => this.#account(AbortSignal.any([signal, accounting.signal])))
  }

  async #account(signal: AbortSignal): Promise<TableFindings | undefined> {
    const { tables, journal, alarms, log } = this.#options
    if (signal.aborted) return undefined
    this.#damaged.clear()
    // Rows that arrive during the comparison count as confirmed, and the journal alone has them.
    const mark = journal.mark()
    const findings = await tables.compare(this.rowsOutsidePages(), signal, (lost, held) => this.#keepLost(lost, held))
    if (findings === undefined) return undefined
    if (this.#damaged.has('journal') && !journal.dropDamaged(mark)) this.#damaged.delete('journal')
    for (const name of ['journal', 'denials'] as const) {
      const error = this.#damaged.get(name)
      if (error !== undefined) log.error({ error: reportOf(error) }, 'a damaged file was written again from memory')
      alarms.set('refusals_rewritten', error === undefined ? undefined : reportOf(error).message, name)
    }
    this.#reportChanges()
    return findings
  }

  /**
   * Writes revocations of the table that no file has to the denials. Returns their number. `held` are the cut-offs in the
   * pages: a purge removes the rows that they cover. A cut-off that is only a denial covers nothing, because a forget may
   * remove it.
   */
  async #keepLost(lost: Iterable<readonly KnownRevocation[]>, held: CutOffs): Promise<number> {
    const { entropy } = this.#options
    const isKept = (row: KnownRevocation): boolean => {
      const org = row.kind === 'token' ? (this.#orgOf(row.kid) ?? '') : row.org
      return isCoveredByBroader(held, row, org) || this.#givenUp.some((index) => index.covers(row))
    }
    const numbered = denialsInTable(lost, randomTimeline(entropy.bytes(TIMELINE_BYTES)), isKept)
    return this.#file.keep(this.#thenSynced(numbered), { isAll: true })
  }

  /**
   * Syncs the pages after the last row if a file is damaged. They have confirmed rows that the damaged file loses now, and a
   * power cut could take pages back that were not durable.
   */
  async *#thenSynced(numbered: Iterable<readonly Denial[]>): AsyncGenerator<readonly Denial[]> {
    yield* numbered
    if (this.#damaged.size === 0) return
    try {
      this.#options.syncPages()
    } catch (error) {
      this.#options.onFatal(error)
      throw error
    }
  }

  /** Resolves when no work is running. */
  async idle(): Promise<void> {
    await this.#busy
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#releasing?.abort()
    this.#accounting?.abort()
    await this.idle()
  }

  async #keep(replacement: Replacement): Promise<void> {
    const { alarms, log, tables } = this.#options
    let unread: string | undefined
    try {
      const kept = await this.#file.keep(this.#undone(replacement), {
        expected: tables.counts.revocations,
        isAll: true,
      })
      if (kept > 0) log.warn({ kept }, 'this replica still enforces revocations of the history that it leaves')
      alarms.set('denials_not_kept', undefined)
    } catch (error) {
      const { code, message } = reportOf(error)
      if (code === 'history_unread') unread = message
      else alarms.set('denials_not_kept', message)
      throw error
    } finally {
      alarms.set('denials_unread', unread)
    }
  }

  /** Everything that this replica enforces and `replacement.next` may lack. */
  async *#undone({ next, before }: Replacement): AsyncGenerator<readonly Denial[]> {
    const { tables, entropy } = this.#options
    const { meta } = tables
    if (meta === undefined) yield* this.#fromMovedCopy()
    else if (before !== undefined) yield* this.#fromPages(meta)
    const parts = this.#journalParts()
    yield* denialsInJournal(
      parts.filter(({ timeline }) => timeline !== next.timeline),
      this.#orgOf,
    )
    const ahead = this.#newIndex()
    for (const row of parts.flatMap(({ timeline, rows }) => (timeline === next.timeline ? rows : [])))
      if (row.kind !== 'unknown') ahead.take(row)
    const issueClockMs = meta === undefined ? 0 : this.#bounded(meta).issueClockMs
    const isKept = (row: KnownRevocation): boolean =>
      this.#file.covers(row) || ahead.covers(row) || isOutlived(row, issueClockMs)
    yield* denialsInTable(tables.denied(), randomTimeline(entropy.bytes(TIMELINE_BYTES)), isKept)
  }

  /** The tables of this process never read the pages: they were damaged at its start, and moved aside. */
  #fromMovedCopy(): Generator<readonly Denial[]> {
    const { folder, savedTable, tables, alarms, log } = this.#options
    const deny = tables.deny.bind(tables)
    return denialsInMovedCopy({ folder, savedTable, bounded: this.#bounded, deny, alarms, log })
  }

  /** Rows of the pages that the table has too: nobody compared the pages lately, and a row that it lacks is damaged. */
  *#fromPages(meta: Meta): Generator<readonly Denial[]> {
    const { tables, log } = this.#options
    const isEnforced = (one: Denial): boolean => {
      const row = rowOfDenial(one)
      if (row.seq > tables.revocationsInPages) return true
      return row.kind !== 'unknown' && tables.enforces(row)
    }
    try {
      for (const batch of denialsInPages(tables.source!.reader, this.#bounded(meta))) yield batch.filter(isEnforced)
    } catch (cause) {
      const error = sqliteError(cause, 'reading the pages of an undone history')
      if (!(error instanceof MacaroondError) || error.code !== 'database_corrupt') throw error
      log.error({ error: reportOf(error) }, 'damaged pages: the table in memory has their revocations')
    }
  }

  /** Journal and unwritten rows. Of a damaged journal: none, because the table in memory has its rows. */
  #journalParts(): readonly JournalPart[] {
    const { journal, unwritten, log } = this.#options
    const ahead = unwritten()
    try {
      return [...journal.read(), ...(ahead === undefined ? [] : [ahead])]
    } catch (error) {
      log.error({ error: reportOf(error) }, 'the table in memory has the revocations of the journal')
      return ahead === undefined ? [] : [ahead]
    }
  }

  async #release(durable: DurablePages, signal: AbortSignal): Promise<void> {
    const { journal, tables, log } = this.#options
    const { source } = tables
    if (source === undefined || signal.aborted) return
    if (journal.hasBefore(durable.meta.epoch)) await this.#moveOutOfJournal(durable.meta.epoch)
    const pages = { ...durable, meta: this.#bounded(durable.meta) }
    const done = await this.#releaser.release(source.reader, pages, {
      isEnforced: (row) => tables.enforces(row),
      onForgotten: (givenUp) => this.#beforeForgetting(givenUp, signal),
      signal,
    })
    if (this.#givenUp.length > 0) await this.#rebuild()
    if (done.released > 0) log.info({ ...done, left: this.#file.size }, 'released revocations of an undone history')
    this.#reportChanges()
  }

  /** Rows may have been added before a snapshot or by a comparison, or released. */
  #reportChanges(): void {
    if (this.#reportedGeneration !== this.#file.generation) this.#options.onChanged()
    this.#reportedGeneration = this.#file.generation
  }

  /** False unless the pages, which say what was given up, are as they were applied. */
  async #beforeForgetting(givenUp: Revocations, signal: AbortSignal): Promise<boolean> {
    const { tables, scrubPages } = this.#options
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    const outcome = await Promise.race([scrubPages(), aborted])
    if (outcome !== 'sound' || signal.aborted) return false
    this.#givenUp.push(givenUp)
    await tables.dropSaved()
    return true
  }

  /** Moves rows of earlier epochs from the journal to the denials: pages of a later epoch will never contain them. */
  async #moveOutOfJournal(epoch: Epoch): Promise<void> {
    const { journal } = this.#options
    const parts = journal.read().filter((part) => part.epoch < epoch)
    const batches = denialsInJournal(parts, this.#orgOf)
    await this.#file.keep(inTurns(batches))
    journal.dropBefore(epoch)
  }

  /** Rebuilds the table. If a snapshot replaces the pages meanwhile, the next durable pages cause another attempt. */
  async #rebuild(): Promise<void> {
    const { tables, log } = this.#options
    const isGivenUp = (row: KnownRevocation): boolean => this.#givenUp.some((index) => index.covers(row))
    if (!(await tables.rebuild(this.rowsOutsidePages(), isGivenUp))) return
    this.#givenUp = []
    log.warn('the table of revocations was rebuilt without those that an operator gave up')
  }

  /**
   * All rows that are not in the pages: journal, file of denials, and rows that are on no disk. The journal is read first,
   * because its rows move to the file, and a row that moved between the two reads would be missed. Of a damaged file: the rows
   * before the damage, and the damage is noted.
   */
  *rowsOutsidePages(): Generator<RevocationRow> {
    const { unwritten } = this.#options
    yield* this.#rowsOf('journal', () => this.#readableRows())
    yield* this.#rowsOf('denials', () => this.#file.all())
    yield* unwritten()?.rows ?? []
  }

  *#rowsOf(name: 'journal' | 'denials', read: () => Iterable<RevocationRow>): Generator<RevocationRow> {
    try {
      yield* read()
    } catch (error) {
      if (!isDamaged(error)) throw error
      this.#damaged.set(name, error)
    }
  }

  *#readableRows(): Generator<RevocationRow> {
    const { parts, damage } = this.#options.journal.readable()
    for (const { rows } of parts) yield* rows
    if (damage !== undefined) throw damage
  }

  /** A denial may be in no pages, so no issue clock alone decides that it is outlived. */
  readonly #bounded = (meta: Meta): Meta => {
    return { ...meta, issueClockMs: deletionMs(meta.issueClockMs, this.#options.deletionMs()) }
  }

  #newIndex(): Revocations {
    return new Revocations({ seed: this.#options.entropy.bytes(TABLE_SEED_BYTES) })
  }

  readonly #orgOf = (kid: string): string | undefined => this.#options.tables.key(kid as Kid)?.org

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work)
    this.#busy = done.catch(() => undefined)
    return done
  }

  /** A full disk and damage are only logged: the next durable pages cause another attempt. Any other failure ends the node. */
  #failed(error: unknown): void {
    const { log, onFatal } = this.#options
    if (error instanceof MacaroondError && (error.code === 'disk_full' || isDamaged(error)))
      return log.warn({ error: reportOf(error) }, error.message)
    onFatal(error)
  }
}

function isDamaged(error: unknown): boolean {
  return error instanceof MacaroondError && error.code === 'log_corrupt'
}

async function* inTurns<T>(batches: Iterable<T>): AsyncGenerator<T> {
  yield* batches
}
