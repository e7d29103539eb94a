/**
 * The revocation stream's shell: takes rows as they come, refuses those tokens at once, writes them to the journal, and only
 * then acknowledges. It never waits for pages. Histories are compared here as they are on the `wal` channel (S10): a primary
 * that has fewer revocations than it once sent, or leads another history, is refused.
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
import { DenialsTeller } from '../denials/teller.ts'
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
  /** Ids of the key-encryption keys at hand. */
  readonly keks: readonly string[]
  /** Of undone histories: a primary that listens is told of them. */
  readonly denials: Pick<Denials, 'size' | 'told'>
  /** Makes the applied pages durable: what they brought is acknowledged with the rest. */
  readonly syncPages: () => void
  readonly onDiverged: (message: string | undefined) => void
  /** After a failed fsync nobody knows what is on the disk: the node must end, never try again. */
  readonly onFatal: (error: unknown) => void
}

/** Between two syncs of the journal while revocations keep coming. */
const SYNC_PAUSE_MS = 10

export class RevocationStream {
  readonly #options: RevocationStreamOptions
  /** From the journal and the stream. */
  #streamed: HistoryPoint | undefined
  /** The same, with what is not on the disk yet: it is refused already. */
  #taken: HistoryPoint | undefined
  /** What has come and is not acknowledged. */
  #owed: HistoryPoint | undefined
  #acknowledging: Promise<void> | undefined
  /** What the last hello said: the primary sends what comes after, whatever the pages have brought meanwhile. */
  #asked: HistoryPoint | undefined
  /** Of the connection that is there now. */
  #reporter: CoverageReporter | undefined
  /** Refused, and the journal had no room for them: they come again. */
  #unwritten: JournalPart | undefined
  #teller: DenialsTeller | undefined
  #onRows: RowObserver | undefined

  /** What the journal holds is refused from the first moment, whatever timeline it is of. */
  constructor(options: RevocationStreamOptions) {
    this.#options = options
    const parts = options.journal.takeLoaded()
    // A record of an earlier timeline may stand behind one of a later.
    const newest = parts.toSorted((a, b) => a.epoch - b.epoch).at(-1)
    if (newest !== undefined) {
      const own = parts.filter(({ timeline }) => timeline === newest.timeline).flatMap(({ rows }) => rows)
      const { timeline, epoch } = newest
      this.#streamed = { timeline, epoch, seq: contiguous(this.#inPages(timeline), own) }
    }
    this.#taken = this.#streamed
    const { seq, timeline } = this.#streamed ?? { seq: 0, timeline: undefined }
    for (const { rows } of parts) options.tables.add(rows, seq, timeline)
  }

  /** The newest history known here, and up to where; undefined without any. */
  get known(): HistoryPoint | undefined {
    return this.#furthest(this.#streamed)
  }

  /** The newest history known here, and up to where it is enforced. */
  get enforced(): HistoryPoint | undefined {
    return this.#furthest(this.#taken)
  }

  /** What a lease counts for. */
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

  /** Who is told of what is enforced here from now on, in its order. To be called once, before the first connection. */
  connect(onRows: RowObserver): void {
    assert(this.#onRows === undefined, 'the stream of revocations is connected once')
    this.#onRows = onRows
  }

  hello(): RevocationsHello {
    this.#asked = this.known
    const { freshness, keks, denials } = this.#options
    const place = { timeline: this.#asked?.timeline ?? null, seq: this.#asked?.seq ?? 0 }
    return { ...place, boot: freshness.boot, keks, denials: denials.size }
  }

  async follow(connection: Connection, retire: AbortSignal): Promise<void> {
    assert(this.#onRows !== undefined, 'no revocation is taken before the stream is connected')
    retire.addEventListener('abort', () => void connection.close())
    const welcome = revocationsWelcome.parse(connection.hello)
    this.#requireSameHistory(welcome)
    const place = { timeline: asTimeline(welcome.timeline), epoch: asEpoch(welcome.epoch) }
    // On a later timeline numbers count anew, and the primary sends everything; denials stay.
    const start = this.#asked?.timeline === place.timeline ? this.#asked.seq : 0
    this.#syncPages()
    this.#taken = { ...place, seq: start }
    this.#owed = this.#taken
    const over = new AbortController()
    const say = (message: FromStream): void => void connection.write(encodeMessage(message))
    const send = (seq: number): void => say({ t: 'covered', seq })
    this.#reporter = new CoverageReporter({ book: this.#options.workers, send, signal: over.signal })
    if (welcome.denials === true) this.#teller = this.#tellerOf(connection, over.signal)
    this.#acknowledging = this.#acknowledge(connection)
    this.#options.freshness.connected(welcome, say)
    try {
      await this.#read(connection, place, start)
    } finally {
      this.#options.freshness.disconnected()
      over.abort()
      this.#teller = undefined
      await this.#acknowledging
    }
  }

  /** There are other denials than before. */
  denialsChanged(): void {
    this.#teller?.tell()
  }

  /** The applied pages are durable now: the journal need not hold what they hold. */
  covered(): void {
    const { tables, journal } = this.#options
    if (tables.meta !== undefined) journal.covered(tables.meta.timeline, tables.revocationsInPages)
  }

  #tellerOf(connection: Connection, signal: AbortSignal): DenialsTeller {
    const { denials, clock } = this.#options
    const teller = new DenialsTeller({
      denials,
      clock,
      signal,
      send: (message) => connection.send(encodeMessage(message)),
    })
    teller.tell()
    return teller
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
      this.#owed = { ...place, seq: understood.through }
      this.#acknowledging ??= this.#acknowledge(connection)
    }
  }

  /**
   * What comes before the first row that this version cannot interpret. That one and all behind it are neither kept nor
   * acknowledged (V7): this replica says nothing of any token, and after an upgrade they come again.
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

  /** Memory first, here and at the workers, because that is what refuses the token now; then the disk, because that is what is acknowledged. */
  #take(place: History, stretch: Stretch): void {
    const { rows, through } = stretch
    this.#options.tables.add(rows, through, place.timeline)
    this.#taken = { ...place, seq: through }
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

  /** What the hello counted may have come with pages that are not durable yet. Later rows are in the journal themselves. */
  #syncPages(): void {
    try {
      this.#options.syncPages()
    } catch (error) {
      throw this.#fatal(error)
    }
  }

  /** One sync at a time: what comes meanwhile is refused already, and shares the next one. Never rejects. */
  async #acknowledge(connection: Connection): Promise<void> {
    try {
      while (this.#owed !== undefined) {
        const known = this.#owed
        this.#owed = undefined
        await this.#options.journal.sync().catch((error: unknown) => Promise.reject(this.#fatal(error)))
        this.#streamed = known
        this.#requireNewest(known)
        await connection.send(encodeMessage({ t: 'ack', seq: known.seq }))
        this.#reporter?.acknowledged(known)
        // A lone revocation never waits; in a stream of them a sync for each would take the disk from everybody else.
        if (this.#owed !== undefined) await pause(this.#options.clock, SYNC_PAUSE_MS)
      }
    } catch (cause) {
      // A connection that ended says so itself; aborting it once more changes nothing.
      connection.abort(storageError(cause, 'acknowledging revocations'))
    } finally {
      this.#acknowledging = undefined
    }
  }

  /** A full disk ends the connection, and the rows come again; any other failure ends the node. */
  #failed(cause: unknown): MacaroondError {
    const error = storageError(cause, 'writing the revocation journal')
    return error.code === 'disk_full' ? error : this.#fatal(error)
  }

  /** After a failed fsync, for whatever reason, the kernel may call lost bytes clean, and the next one would succeed. */
  #fatal(cause: unknown): MacaroondError {
    const error = storageError(cause, 'syncing revocations')
    this.#options.onFatal(error)
    return error
  }

  /** Judged by what the hello said: the welcome was made after it, so an honest primary has at least as much. */
  #requireSameHistory(welcome: RevocationsWelcome): void {
    const message = this.#asked === undefined ? undefined : contradiction(this.#asked, welcome)
    this.#options.onDiverged(message)
    if (message === undefined) return
    throw new MacaroondError('position_diverged', message, {
      hint: 'the primary’s disk or this replica’s was put back to an older copy; find out which before you delete either',
    })
  }

  /**
   * S7: the pages may have come to a later epoch while this connection was open, by way of a successor of the primary at its
   * other end: that one gets no acknowledgement any more, or it would call durable what its successor does not know.
   */
  #requireNewest({ epoch }: History): void {
    const { meta } = this.#options.tables
    if (meta === undefined || meta.epoch <= epoch) return
    const message = `the primary leads epoch ${epoch}, this replica has seen ${meta.epoch}`
    throw new MacaroondError('position_diverged', message, {
      hint: 'the primary was succeeded: stop the old one for good',
    })
  }

  #inPages(timeline: Timeline): number {
    const { meta, revocationsInPages } = this.#options.tables
    return meta?.timeline === timeline ? revocationsInPages : 0
  }
}

function contradiction(ours: HistoryPoint, theirs: RevocationsWelcome): string | undefined {
  if (theirs.epoch < ours.epoch) return `the primary leads epoch ${theirs.epoch}, this replica has seen ${ours.epoch}`
  if (theirs.epoch > ours.epoch) return undefined
  if (theirs.timeline !== ours.timeline) return `the primary is on timeline ${theirs.timeline}, not on ${ours.timeline}`
  if (theirs.seq >= ours.seq) return undefined
  return `the primary has ${theirs.seq} revocations, this replica has had ${ours.seq} from it`
}

/**
 * After a power cut the pages may end before the journal begins: then what is between has to be asked for again, as has what is
 * not understood. The journal does not tell what is missing from what was purged, so that is asked for as well.
 */
function contiguous(inPages: number, rows: readonly RevocationRow[]): number {
  let seq = inPages
  for (const row of rows.toSorted((a, b) => a.seq - b.seq)) {
    if (row.seq > seq + 1 || row.kind === 'unknown') break
    seq = Math.max(seq, row.seq)
  }
  return seq
}

/** A gap means that a revocation is missing: the connection ends, and the next one asks from before it. */
function requireNoGap(known: number, stretch: Stretch): void {
  const gap = gapAfter(known, stretch)
  if (gap !== undefined) throw new MacaroondError('protocol_violation', gap)
}
