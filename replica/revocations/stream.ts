/**
 * The revocation stream of a replica. It enforces each row in memory at once, writes it to the journal, and acknowledges it
 * after a sync. It never waits for pages. It refuses a primary that has fewer revocations than it once sent, or leads another
 * history (S10); the `wal` channel does the same.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import { pause, type Timers } from '../../shared/clock.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { epoch as asEpoch, timeline as asTimeline, type Timeline } from '../../shared/ids.ts'
import type { GrantBook } from '../../shared/freshness/grant-book.ts'
import type { Applied } from '../../shared/freshness/holder.ts'
import { decodeMessage, encodeMessage } from '../../shared/protocol/message.ts'
import {
  revocationsWelcome,
  toStream,
  type FromStream,
  type RevocationsHello,
  type RevocationsWelcome,
} from '../../shared/protocol/revocations.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { gapAfter, type Stretch } from '../../shared/protocol/stretch.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import type { Denials } from '../denials/denials.ts'
import { DenialsReporter } from '../denials/reporter.ts'
import { CoverageReporter } from '../freshness/coverage-reporter.ts'
import type { Freshness } from '../freshness/freshness.ts'
import type { Tables } from '../tables/tables.ts'
import type { History, HistoryPoint, RowObserver } from './history.ts'
import type { JournalPart } from './journal-records.ts'
import type { RevocationJournal } from './journal.ts'

export interface RevocationStreamOptions {
  readonly tables: Tables
  readonly journal: RevocationJournal
  readonly clock: Timers
  readonly freshness: Pick<Freshness, 'boot' | 'connected' | 'disconnected' | 'granted' | 'applied'>
  readonly workers: Pick<GrantBook, 'covered'>
  /** Ids of the key-encryption keys that this replica has. */
  readonly keks: readonly string[]
  /** The denials, which are reported to a primary that accepts them. */
  readonly denials: Pick<Denials, 'size' | 'numbered'>
  /** Makes the applied pages durable, because revocations that came with them are acknowledged too. */
  readonly syncPages: () => void
  readonly onDiverged: (message: string | undefined) => void
  /** Called after a failed fsync. The state of the disk is unknown then, so the node must end instead of retrying. */
  readonly onFatal: (error: unknown) => void
}

/** The pause between two syncs of the journal while revocations keep arriving. */
const SYNC_PAUSE_MS = 10

export class RevocationStream {
  readonly #options: RevocationStreamOptions
  /** Point up to which rows from the journal and the stream are durable. */
  #durable: HistoryPoint | undefined
  /** Point up to which rows are enforced. Some of them may not be durable yet. */
  #enforced: HistoryPoint | undefined
  /** Point to acknowledge next; undefined if everything is acknowledged. */
  #toAcknowledge: HistoryPoint | undefined
  #acknowledging: Promise<void> | undefined
  /** Point in the last hello. The primary sends the rows after it, even those that the pages have brought since. */
  #inHello: HistoryPoint | undefined
  /** Reports coverage on the present connection. */
  #reporter: CoverageReporter | undefined
  /** Rows that are enforced but could not be written. The primary sends them again. */
  #unwritten: JournalPart | undefined
  #denialsReporter: DenialsReporter | undefined
  /** The newest revocation that the primary had when the last connection began. */
  #welcomed: { readonly timeline: string; readonly seq: number } | undefined
  #onRows: RowObserver | undefined

  /** Enforces all rows of the journal at once, whatever their timeline. */
  constructor(options: RevocationStreamOptions) {
    this.#options = options
    const parts = options.journal.takeLoaded()
    // The journal may contain an earlier timeline after a later one.
    const newest = parts.toSorted((a, b) => a.epoch - b.epoch).at(-1)
    if (newest !== undefined) {
      const own = parts.filter(({ timeline }) => timeline === newest.timeline).flatMap(({ rows }) => rows)
      const { timeline, epoch } = newest
      this.#durable = { timeline, epoch, seq: contiguous(this.#inPages(timeline), own) }
    }
    this.#enforced = this.#durable
    const { seq, timeline } = this.#durable ?? { seq: 0, timeline: undefined }
    for (const { rows } of parts) options.tables.add(rows, seq, timeline)
  }

  /** The newest history that this replica knows, and the number up to which it is durable; undefined without any. */
  get durable(): HistoryPoint | undefined {
    return this.#furthest(this.#durable)
  }

  /** The newest history that this replica knows, and the number up to which it is enforced. */
  get enforced(): HistoryPoint | undefined {
    return this.#furthest(this.#enforced)
  }

  /** The state that a lease requires: revocations and pages that are applied. */
  get applied(): Applied {
    const { timeline, seq = 0 } = this.enforced ?? {}
    const { meta } = this.#options.tables
    return { timeline, seq, pages: meta === undefined ? undefined : { timeline: meta.timeline, txid: meta.txid } }
  }

  get unwritten(): JournalPart | undefined {
    return this.#unwritten
  }

  #furthest(streamed: HistoryPoint | undefined): HistoryPoint | undefined {
    const { meta, revocationsInPages } = this.#options.tables
    if (meta === undefined || (streamed !== undefined && streamed.epoch > meta.epoch)) return streamed
    const { timeline, epoch } = meta
    const seq = streamed?.timeline === timeline ? Math.max(streamed.seq, revocationsInPages) : revocationsInPages
    return { timeline, epoch, seq }
  }

  /** Sets the observer of enforced rows. To be called once, before the first connection. */
  observe(onRows: RowObserver): void {
    assert(this.#onRows === undefined, 'the stream has one observer of its rows')
    this.#onRows = onRows
  }

  hello(): RevocationsHello {
    this.#inHello = this.durable
    const { freshness, keks, denials } = this.#options
    const place = { timeline: this.#inHello?.timeline ?? null, seq: this.#inHello?.seq ?? 0 }
    return { ...place, boot: freshness.boot, keks, denials: denials.size }
  }

  async follow(connection: Connection, retire: AbortSignal): Promise<void> {
    assert(this.#onRows !== undefined, 'the observer of rows is set before the first connection')
    retire.addEventListener('abort', () => void connection.close())
    const welcome = readWelcome(connection)
    this.#requireSameHistory(welcome)
    this.#welcomed = { timeline: welcome.timeline, seq: welcome.seq }
    const place = { timeline: asTimeline(welcome.timeline), epoch: asEpoch(welcome.epoch) }
    // A later timeline has numbers of its own, and the primary sends all its rows; denials stay.
    const start = this.#inHello?.timeline === place.timeline ? this.#inHello.seq : 0
    this.#syncPages()
    this.#enforced = { ...place, seq: start }
    this.#toAcknowledge = this.#enforced
    const ended = new AbortController()
    const write = (message: FromStream): void => void connection.write(encodeMessage(message))
    const send = (seq: number): void => write({ t: 'covered', seq })
    this.#reporter = new CoverageReporter({ book: this.#options.workers, send, signal: ended.signal })
    if (welcome.denials === true) this.#denialsReporter = this.#reporterOfDenials(connection, ended.signal)
    this.#acknowledging = this.#acknowledge(connection)
    this.#options.freshness.connected(welcome, write)
    try {
      await this.#read(connection, place, start)
    } finally {
      this.#options.freshness.disconnected()
      ended.abort()
      this.#denialsReporter = undefined
      await this.#acknowledging
    }
  }

  /** To be called when the denials have changed. */
  denialsChanged(): void {
    this.#denialsReporter?.report()
  }

  /** To be called when the applied pages are durable: the journal drops the rows that they contain. */
  pagesDurable(): void {
    const { tables, journal } = this.#options
    if (tables.meta !== undefined) journal.dropInPages(tables.meta.timeline, tables.revocationsInPages)
  }

  /** True if the pages have every revocation that the primary had when the last connection began. */
  get hasCaughtUp(): boolean {
    const { meta, revocationsInPages } = this.#options.tables
    const { timeline, seq } = this.#welcomed ?? {}
    return timeline !== undefined && timeline === meta?.timeline && revocationsInPages >= (seq ?? 0)
  }

  #reporterOfDenials(connection: Connection, signal: AbortSignal): DenialsReporter {
    const { denials, clock } = this.#options
    const reporter = new DenialsReporter({
      denials,
      clock,
      signal,
      send: (message) => connection.send(encodeMessage(message)),
    })
    reporter.report()
    return reporter
  }

  async #read(connection: Connection, place: History, start: number): Promise<void> {
    let seq = start
    for await (const frame of connection.messages()) {
      const message = decodeMessage(frame, toStream)
      this.#requireNewest(place)
      if (message.t === 'granted') {
        this.#options.freshness.granted(message, this.applied)
        continue
      }
      requireNoGap(seq, message)
      seq = message.through
      const understood = this.#understood(message)
      if (understood === undefined) continue
      this.#take(place, understood)
      this.#toAcknowledge = { ...place, seq: understood.through }
      this.#acknowledging ??= this.#acknowledge(connection)
    }
  }

  /**
   * The rows before the first one that this version cannot interpret. That row and all after it are neither kept nor
   * acknowledged (V7). This replica then judges no token, and after an upgrade the primary sends those rows again.
   */
  #understood(stretch: Stretch): Stretch | undefined {
    const { tables } = this.#options
    if (tables.uninterpretable !== undefined) return undefined
    const { after, rows } = stretch
    const unknown = rows.findIndex(({ kind }) => kind === 'unknown')
    if (unknown === -1) return stretch
    tables.deny(rows.slice(unknown))
    const through = (rows[unknown]?.seq ?? 1) - 1
    return through > after ? { after, rows: rows.slice(0, unknown), through } : undefined
  }

  /**
   * Adds rows to memory first, here and at the workers, so that the tokens are refused at once. Then it writes them to the
   * journal, because only durable rows are acknowledged.
   */
  #take(place: History, stretch: Stretch): void {
    const { rows, through } = stretch
    this.#options.tables.add(rows, through, place.timeline)
    this.#enforced = { ...place, seq: through }
    this.#options.freshness.applied(this.applied)
    this.#onRows?.(place, stretch)
    try {
      if (rows.length > 0) this.#options.journal.append(place, rows)
      this.#unwritten = undefined
    } catch (cause) {
      this.#unwritten = { ...place, rows: [...rows] }
      throw this.#failed(cause)
    }
  }

  /** Syncs the pages. The number in the hello counts rows in pages that may not be durable; later rows are in the journal. */
  #syncPages(): void {
    try {
      this.#options.syncPages()
    } catch (error) {
      throw this.#fatal(error)
    }
  }

  /** Syncs and acknowledges, one sync at a time. Rows that arrive during a sync share the next one. Never rejects. */
  async #acknowledge(connection: Connection): Promise<void> {
    try {
      while (this.#toAcknowledge !== undefined) {
        const known = this.#toAcknowledge
        this.#toAcknowledge = undefined
        await this.#options.journal.sync().catch((error: unknown) => Promise.reject(this.#fatal(error)))
        this.#durable = known
        this.#requireNewest(known)
        await connection.send(encodeMessage({ t: 'ack', seq: known.seq }))
        this.#reporter?.acknowledged(known)
        // A single revocation never waits. In a burst, a sync for each would leave no disk time for other work.
        if (this.#toAcknowledge !== undefined) await pause(this.#options.clock, SYNC_PAUSE_MS)
      }
    } catch (cause) {
      // If the connection has ended already, this abort has no effect.
      connection.abort(storageError(cause, 'acknowledging revocations'))
    } finally {
      this.#acknowledging = undefined
    }
  }

  /** On a full disk the connection ends and the primary sends the rows again. Any other failure ends the node. */
  #failed(cause: unknown): MacaroondError {
    const error = storageError(cause, 'writing the revocation journal')
    return error.code === 'disk_full' ? error : this.#fatal(error)
  }

  /** Ends the node. After a failed fsync the kernel may mark lost pages as clean, and the next fsync would succeed. */
  #fatal(cause: unknown): MacaroondError {
    const error = storageError(cause, 'syncing revocations')
    this.#options.onFatal(error)
    return error
  }

  /** Compares the welcome with the hello. The welcome was made later, so it must have at least the revocations of the hello. */
  #requireSameHistory(welcome: RevocationsWelcome): void {
    const message = this.#inHello === undefined ? undefined : contradiction(this.#inHello, welcome)
    this.#options.onDiverged(message)
    if (message === undefined) return
    throw new MacaroondError('position_diverged', message, {
      hint: 'the primary’s disk or this replica’s was put back to an older copy; find out which before you delete either',
    })
  }

  /**
   * Throws if the pages are of a later epoch than this primary (S7): a successor may have sent them while this connection was
   * open. An acknowledgement to the old primary would make it report a row as durable that its successor does not have.
   */
  #requireNewest({ epoch }: History): void {
    const { meta } = this.#options.tables
    if (meta === undefined || meta.epoch <= epoch) return
    const message = `the primary leads epoch ${epoch}; this replica has seen epoch ${meta.epoch}`
    throw new MacaroondError('position_diverged', message, {
      hint: 'the primary has a successor: stop the old primary permanently',
    })
  }

  #inPages(timeline: Timeline): number {
    const { meta, revocationsInPages } = this.#options.tables
    return meta?.timeline === timeline ? revocationsInPages : 0
  }
}

function contradiction(ours: HistoryPoint, theirs: RevocationsWelcome): string | undefined {
  if (theirs.epoch < ours.epoch)
    return `the primary leads epoch ${theirs.epoch}; this replica has seen epoch ${ours.epoch}`
  if (theirs.epoch > ours.epoch) return undefined
  if (theirs.timeline !== ours.timeline) return `the primary is on timeline ${theirs.timeline}, not on ${ours.timeline}`
  if (theirs.seq >= ours.seq) return undefined
  return `the primary has ${theirs.seq} revocations; this replica already received ${ours.seq} from it`
}

/**
 * The number up to which all rows are known from pages and journal. After a power cut the pages may end before the journal
 * begins; then the rows between are requested again, and so is the first row that is not understood. The journal cannot
 * distinguish a missing row from a purged one, so a purged row counts as missing.
 */
function contiguous(inPages: number, rows: readonly RevocationRow[]): number {
  let seq = inPages
  for (const row of rows.toSorted((a, b) => a.seq - b.seq)) {
    if (row.seq > seq + 1 || row.kind === 'unknown') break
    seq = Math.max(seq, row.seq)
  }
  return seq
}

/** Throws protocol_violation for a gap, which means a missing revocation. The next hello requests from before the gap. */
function requireNoGap(known: number, stretch: Stretch): void {
  const gap = gapAfter(known, stretch)
  if (gap !== undefined) throw new MacaroondError('protocol_violation', gap)
}

/** Throws protocol_violation. */
function readWelcome({ hello }: Pick<Connection, 'hello'>): RevocationsWelcome {
  const welcome = revocationsWelcome.safeParse(hello)
  if (welcome.success) return welcome.data
  throw new MacaroondError('protocol_violation', 'the primary sent a malformed welcome on the `revocations` channel')
}
