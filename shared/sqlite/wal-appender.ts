/**
 * Applies the primary's transactions to a replica by appending them to its WAL, as a SQLite connection would. SQLite then
 * provides atomicity, crash recovery and snapshots, readers never wait, and the file becomes byte-identical to the primary's.
 *
 * It holds SQLite's write lock (BEGIN IMMEDIATE) and writes in this order: the frames to -wal, the last one with the commit
 * size; their page numbers and hash slots to -shm; the two header copies, which make the frames visible. A crash before that
 * leaves frames that no reader looks at, or a whole transaction that recovery finds, never a part of one.
 */
import { pause, systemClock, type Entropy, type Timers } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { CHECKPOINT_ATTEMPTS_MAX, CHECKPOINT_PAUSE_MS, PAGE_BYTES } from '../limits.ts'
import type { CheckpointOutcome } from './checkpoint.ts'
import { runCheckpoint } from './checkpoint.ts'
import type { Database } from './open-database.ts'
import { openApplier } from './open-database.ts'
import type { DatabaseFile } from './database-file.ts'
import { isBusy, storageError } from '../files/storage-errors.ts'
import type { IndexHeader } from './wal-index-format.ts'
import { encodeIndexHeader } from './wal-index-format.ts'
import type { WalIndex } from './wal-index.ts'
import type { LogEnd, PageChange } from './wal-writer.ts'
import { WalWriter } from './wal-writer.ts'

export type { PageChange } from './wal-writer.ts'

export type ApplyResult =
  | { readonly applied: true; readonly frames: number }
  /** Another program holds the write lock, for example an operator's BEGIN IMMEDIATE. Nothing was changed; retry later. */
  | { readonly applied: false; readonly busy: true }

interface AppenderParts {
  readonly entropy: Entropy
  readonly timers: Timers
}

export class WalAppender {
  readonly #file: DatabaseFile
  readonly #entropy: Entropy
  readonly #timers: Timers
  readonly #connection: Database
  readonly #begin: { run(): unknown }
  readonly #commit: { run(): unknown }
  readonly #index: WalIndex
  readonly #log: WalWriter
  #header: IndexHeader
  #encodedHeader: Buffer
  /** True if the block in memory may differ from the file, or hold frames that were never published. */
  #blockIsStale = true
  /** True if a transaction is being applied in turns, so the connection is inside it. */
  #applying = false
  #checkpointing: Promise<CheckpointOutcome> | undefined

  private constructor(file: DatabaseFile, connection: Database, { entropy, timers }: AppenderParts) {
    this.#file = file
    this.#entropy = entropy
    this.#timers = timers
    this.#connection = connection
    this.#begin = connection.prepare('BEGIN IMMEDIATE')
    this.#commit = connection.prepare('COMMIT')
    // The first read makes SQLite create or recover -wal and -shm.
    connection.prepare('SELECT count(*) FROM sqlite_schema').get()
    this.#index = file.walIndex
    this.#header = this.#index.readHeader()
    this.#encodedHeader = encodeIndexHeader(this.#header)
    this.#log = new WalWriter(file.path)
  }

  /**
   * The database must exist, in WAL mode. The present content of its WAL is taken as ours, so the caller compares its position
   * before applying. Close every other connection of this process before the appender, and the file after it.
   */
  static open(file: DatabaseFile, entropy: Entropy, timers: Timers = systemClock): WalAppender {
    const connection = openApplier(file.path)
    try {
      return new WalAppender(file, connection, { entropy, timers })
    } catch (error) {
      connection.close()
      throw storageError(error, `opening ${file.path} for applying`)
    }
  }

  /** For queries on the node's own thread. Write nothing through it, and leave no transaction open. */
  get connection(): Database {
    return this.#connection
  }

  /** Size of -wal in bytes. It grows while a reader keeps an old state open. */
  get walBytes(): number {
    return this.#log.bytes
  }

  /** Frames since the log was last emptied. */
  get walFrames(): number {
    return this.#header.lastFrame
  }

  /** Database size in pages after the last applied transaction. */
  get pageCount(): number {
    return this.#header.pages === 0 ? this.#file.pageCount : this.#header.pages
  }

  /**
   * Applies one transaction. Readers see it on return; it is durable after `sync`. Throws foreign_write if another program
   * committed since our last transaction: the file is then no longer a copy of the primary's. Any other error changes nothing.
   */
  apply(change: PageChange): ApplyResult {
    if (!this.#takeWriteLock()) return { applied: false, busy: true }
    try {
      this.#requireOurs()
      return { applied: true, frames: this.#append(change) }
    } finally {
      // Never ROLLBACK: the connection would adopt the new header and keep its page cache of the old state.
      this.#commit.run()
    }
  }

  /**
   * Like `apply`, for transactions as large as a snapshot: it awaits `turn` after every run of frames, so that other work
   * goes on. It holds the write lock throughout, and no checkpoint runs. Readers see the earlier state until the end.
   */
  async applyInTurns(change: PageChange, turn: () => Promise<unknown>): Promise<ApplyResult> {
    if (!this.#takeWriteLock()) return { applied: false, busy: true }
    this.#applying = true
    try {
      this.#requireOurs()
      const end = this.#beginAppend()
      const runs = this.#log.runs(end, change)
      let run = runs.next()
      for (; run.done !== true; run = runs.next()) await turn()
      return { applied: true, frames: this.#finishAppend(end, run.value, change.commitPages) }
    } finally {
      this.#applying = false
      this.#commit.run()
    }
  }

  /** Makes everything applied so far durable. */
  sync(): void {
    this.#log.sync()
  }

  /**
   * Copies the WAL into the database file, then tries to empty it, `attempts` times at most, until no reader blocks it.
   * Applying goes on between the attempts. SQLite syncs the WAL before it copies.
   */
  checkpoint(attempts: number = CHECKPOINT_ATTEMPTS_MAX): Promise<CheckpointOutcome> {
    this.#checkpointing ??= this.#checkpoint(attempts).finally(() => {
      this.#checkpointing = undefined
    })
    return this.#checkpointing
  }

  close(): void {
    if (!this.#connection.open) return
    this.#connection.close()
    this.#log.close()
  }

  async #checkpoint(attempts: number): Promise<CheckpointOutcome> {
    if (this.#file.pinned) return { kind: 'pinned' }
    if (this.#applying) return { kind: 'busy' }
    if (this.#index.readHeader().lastFrame === 0) return { kind: 'empty' }
    // With active readers a bare TRUNCATE almost never succeeds. PASSIVE first leaves it almost nothing to copy.
    let outcome = runCheckpoint(this.#connection, 'PASSIVE')
    for (let attempt = 0; attempt < attempts && outcome.kind !== 'truncated'; attempt += 1) {
      if (attempt > 0) await pause(this.#timers, CHECKPOINT_PAUSE_MS)
      if (!this.#connection.open || this.#file.pinned || this.#applying) break
      outcome = runCheckpoint(this.#connection, 'TRUNCATE')
    }
    return outcome
  }

  #takeWriteLock(): boolean {
    try {
      this.#begin.run()
      return true
    } catch (error) {
      if (isBusy(error)) return false
      throw storageError(error, 'taking the write lock')
    }
  }

  /**
   * Throws foreign_write if another program committed, which the change counter shows. An emptied log with our counter is a
   * checkpoint, by any program, and changed no page.
   */
  #requireOurs(): void {
    if (this.#index.holds(this.#encodedHeader)) return
    const now = this.#index.readHeader()
    const ours = this.#header
    const sameLog = now.lastFrame === ours.lastFrame && now.salt1 === ours.salt1 && now.salt2 === ours.salt2
    const emptied = now.lastFrame === 0
    if (now.changeCounter === ours.changeCounter && (sameLog || emptied)) {
      this.#header = now
      this.#encodedHeader = encodeIndexHeader(now)
      return
    }
    throw new MacaroondError('foreign_write', `another program wrote ${this.#file.path}`, {
      hint: 'a replica takes changes from its primary only: find the program; this replica needs a fresh snapshot',
    })
  }

  #append(change: PageChange): number {
    const end = this.#beginAppend()
    return this.#finishAppend(end, this.#log.append(end, change), change.commitPages)
  }

  #beginAppend(): LogEnd {
    if (this.#blockIsStale) this.#index.loadBlock(this.#header.lastFrame)
    this.#blockIsStale = true
    return this.#header.lastFrame === 0 ? this.#log.start(this.#entropy) : logEnd(this.#header)
  }

  #finishAppend(end: LogEnd, pageNumbers: readonly number[], commitPages: number): number {
    this.#index.appendFrames(end.lastFrame, pageNumbers)
    this.#publish(end, end.lastFrame + pageNumbers.length, commitPages)
    this.#blockIsStale = false
    return pageNumbers.length
  }

  #publish(end: LogEnd, lastFrame: number, pages: number): void {
    const { bigEndian, salt1, salt2 } = end.header
    const changeCounter = (this.#header.changeCounter + 1) >>> 0
    const header = { changeCounter, bigEndian, lastFrame, pages, frameChecksum: end.sum, salt1, salt2 }
    const encoded = encodeIndexHeader(header)
    this.#index.publish(encoded)
    this.#header = header
    this.#encodedHeader = encoded
  }
}

function logEnd({ bigEndian, salt1, salt2, frameChecksum, lastFrame }: IndexHeader): LogEnd {
  return {
    header: { bigEndian, pageBytes: PAGE_BYTES, sequence: 0, salt1, salt2 },
    sum: { ...frameChecksum },
    lastFrame,
  }
}
