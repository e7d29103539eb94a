/**
 * The revocation stream's shell: takes rows as they come, refuses those tokens at once, writes them to the journal, and only
 * then acknowledges. It never waits for pages.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { timeline as asTimeline, type Timeline } from '../../shared/ids.ts'
import { decodeMessage, encodeMessage } from '../../shared/protocol/message.ts'
import {
  revocationsWelcome,
  revoked,
  type RevocationRow,
  type RevocationsHello,
} from '../../shared/protocol/revocations.ts'
import { storageError } from '../../shared/sqlite/storage-errors.ts'
import type { Tables } from '../tables/tables.ts'
import type { RevocationJournal } from './journal.ts'

export interface RevocationStreamOptions {
  readonly tables: Tables
  readonly journal: RevocationJournal
  /** After a failed fsync nobody knows what is on the disk: the node must end, never try again. */
  readonly onFatal: (error: unknown) => void
}

interface Known {
  readonly timeline: Timeline
  readonly seq: number
}

export class RevocationStream {
  readonly #tables: Tables
  readonly #journal: RevocationJournal
  readonly #onFatal: (error: unknown) => void
  /** Up to where everything is known and on the disk, and on which timeline: from journal, stream or pages. */
  #known: Known | undefined
  /** What has come and is not acknowledged. */
  #owed: Known | undefined
  #acknowledging: Promise<void> | undefined
  /** What the last hello said: the primary sends what comes after, whatever the pages have brought meanwhile. */
  #asked: RevocationsHello = { timeline: null, seq: 0 }

  /** What the journal holds is refused from the first moment, whatever timeline it is of. */
  constructor({ tables, journal, onFatal }: RevocationStreamOptions) {
    this.#onFatal = onFatal
    this.#tables = tables
    this.#journal = journal
    const { timeline } = journal
    const seq = contiguous(this.#inPages(timeline), journal.rows)
    if (timeline !== undefined) this.#known = { timeline, seq }
    tables.add(journal.rows, seq)
  }

  hello(): RevocationsHello {
    const timeline = this.#known?.timeline ?? this.#tables.meta?.timeline
    this.#asked = timeline === undefined ? { timeline: null, seq: 0 } : { timeline, seq: this.#seqOn(timeline) }
    return this.#asked
  }

  async follow(connection: Connection, retire: AbortSignal): Promise<void> {
    retire.addEventListener('abort', () => void connection.close())
    const welcome = revocationsWelcome.parse(connection.hello)
    const timeline = asTimeline(welcome.timeline)
    // On another timeline numbers count anew, and the primary sends everything; denials stay.
    let seq = this.#asked.timeline === timeline ? Math.min(this.#asked.seq, welcome.seq) : 0
    this.#owed = undefined
    try {
      for await (const frame of connection.messages()) {
        const { rows } = decodeMessage(frame, revoked)
        requireContiguous(seq, rows)
        seq += rows.length
        this.#take(timeline, rows, seq)
        this.#owed = { timeline, seq }
        this.#acknowledging ??= this.#acknowledge(connection)
      }
    } finally {
      await this.#acknowledging
    }
  }

  /** Pages up to here are durable: the journal need not hold what they hold. */
  covered(): void {
    if (this.#journal.timeline !== undefined) this.#journal.covered(this.#inPages(this.#journal.timeline))
  }

  /** Memory first, because that is what refuses the token now; then the disk, because that is what is acknowledged. */
  #take(timeline: Timeline, rows: readonly RevocationRow[], seq: number): void {
    this.#tables.add(rows, seq)
    try {
      this.#journal.append(timeline, rows)
    } catch (cause) {
      throw this.#failed(cause)
    }
  }

  /** One sync at a time: what comes meanwhile is refused already, and shares the next one. Never rejects. */
  async #acknowledge(connection: Connection): Promise<void> {
    try {
      while (this.#owed !== undefined) {
        const known = this.#owed
        this.#owed = undefined
        await this.#journal.sync()
        this.#known = known
        await connection.send(encodeMessage({ t: 'ack', seq: known.seq }))
      }
    } catch (cause) {
      // A connection that ended says so itself; aborting it once more changes nothing.
      connection.abort(cause instanceof MacaroondError ? cause : this.#failed(cause))
    } finally {
      this.#acknowledging = undefined
    }
  }

  /** A full disk ends the connection, and the rows come again; any other failure ends the node. */
  #failed(cause: unknown): MacaroondError {
    const error = storageError(cause, 'writing the revocation journal')
    if (error.code !== 'disk_full') this.#onFatal(error)
    return error
  }

  #seqOn(timeline: Timeline): number {
    const streamed = this.#known?.timeline === timeline ? this.#known.seq : 0
    return Math.max(streamed, this.#inPages(timeline))
  }

  #inPages(timeline: Timeline | undefined): number {
    return this.#tables.meta?.timeline === timeline ? this.#tables.revocationsInPages : 0
  }
}

/** After a power cut the pages may end before the journal begins: then what is between has to be asked for again. */
function contiguous(inPages: number, rows: readonly RevocationRow[]): number {
  const first = rows[0]
  const last = rows.at(-1)
  return first !== undefined && last !== undefined && first.seq <= inPages + 1 ? Math.max(inPages, last.seq) : inPages
}

function requireContiguous(before: number, rows: readonly RevocationRow[]): void {
  for (const [index, row] of rows.entries()) {
    if (row.seq !== before + index + 1) throw gap(before + index, row.seq)
  }
}

/** A gap means that a revocation is missing: the connection ends, and the next one asks from before it. */
function gap(before: number, found: number): MacaroondError {
  return new MacaroondError(
    'protocol_violation',
    `revocation ${found} came after ${before}: something is missing between`,
  )
}
