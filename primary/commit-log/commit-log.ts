/**
 * The primary's database with its log: one writer connection, a guard, the WAL reader that sees every commit, and the log
 * of segments. A commit is: SQLite's COMMIT (which fsyncs), read the frames back, make the segment, append it to the log.
 */
import { REPAIR_HINT } from '../../shared/repair-hint.ts'
import { dirname } from 'node:path'
import { pause, type Clock, type Entropy, type Timers } from '../../shared/clock.ts'
import { readBase } from '../../shared/database/epochs.ts'
import { checkMeta, MetaReader, type Meta } from '../../shared/database/meta.ts'
import { MacaroondError, assert } from '../../shared/errors.ts'
import { TXID_NONE, txid as asTxid, type Checksum, type Timeline, type Txid } from '../../shared/ids.ts'
import { decodeHeader } from '../../shared/ltx/header.ts'
import { CHECKPOINT_PAUSE_MS } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import { Checkpointer, type GuardedOutcome } from '../../shared/sqlite/checkpointer.ts'
import { openWritable, type Database } from '../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../shared/sqlite/database-file.ts'
import { Guard } from '../../shared/sqlite/guard.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import { PageSource } from '../../shared/sqlite/page-source.ts'
import { rewriteWal } from '../../shared/sqlite/rewrite-wal.ts'
import { isBusy, storageError } from '../../shared/files/storage-errors.ts'
import { WalReader, type WalPosition, type WalTransaction } from '../../shared/sqlite/wal-reader.ts'
import type { Capture } from './capture.ts'
import { DiskRoom, isDiskFull } from './disk-room.ts'
import { recover, type RecoverOptions } from './recover.ts'
import type { CommittedSegment } from './segment.ts'
import { SegmentLog } from './segment-log.ts'

export interface CommitLogOptions {
  readonly database: string
  readonly logFolder: string
  readonly keepBytes: number
  readonly cluster: string
  readonly clock: Clock & Timers
  readonly entropy: Entropy
  /** What stays of the disk for what is pressing. */
  readonly reserveBytes: number
  /** Makes the first transaction of a database that has none. */
  readonly initialize: (db: Database) => void
  /** Transactions are in the database that no log has: it was set aside. */
  readonly onGap: RecoverOptions['onGap']
  /** A record of the log is not what was written; replicas get a snapshot instead. May be called again for the same one. */
  readonly onDamagedLog: (error: MacaroondError) => void
}

/** A WAL that grew beyond this (64 MB), because somebody read for long, is cut off; a shorter one is used again as it lies. */
const WAL_FRAMES_KEPT = 16_384

/** Segments kept in memory for replicas that are up to date, so that sending to them reads no file. */
const RECENT_MAX = 64

export class CommitLog {
  readonly db: Database
  readonly timeline: Timeline
  /** First transaction of this epoch; 0 in the first epoch. */
  readonly base: Txid
  readonly room: DiskRoom
  readonly #options: CommitLogOptions
  readonly #file: DatabaseFile
  readonly #guard: Guard
  readonly #reader: WalReader
  readonly #log: SegmentLog
  readonly #capture: Capture
  readonly #checkpointer: Checkpointer
  readonly #recent = new Map<Txid, Buffer>()
  /** Committed and captured, but the log could not take it (a full disk): nothing else is written before it is in. */
  #stalled: CommittedSegment | undefined
  #onCommitted: (() => void) | undefined
  #head: Position
  #logged: WalPosition
  #walFrames: number

  constructor(options: CommitLogOptions) {
    this.#options = options
    this.#file = DatabaseFile.open(options.database, { create: true })
    this.db = openWritable(options.database)
    // Acknowledged commits are to follow those that are in it, and some of them may have been in a sync that failed.
    rewriteWal(this.db)
    options.initialize(this.db)
    const meta = this.#checkedMeta()
    this.timeline = meta.timeline
    this.base = readBase(this.db, meta.epoch)
    this.#guard = Guard.open(options.database)
    // SQLite has made the -wal by now, and does not ask whether its name was synced.
    syncDirectory(dirname(options.database))
    this.#reader = new WalReader(options.database)
    this.#log = SegmentLog.open(options.logFolder, options.keepBytes)
    const { file, log, reader } = { file: this.#file, log: this.#log, reader: this.#reader }
    const { onGap } = options
    this.#capture = recover({ file, reader, log, meta, wallMs: options.clock.wallMs, onGap }).capture
    this.#logged = this.#reader.position
    this.#walFrames = this.#logged.frame
    this.#head = { epoch: meta.epoch, txid: meta.txid, checksum: this.#capture.checksums.checksum }
    this.#checkpointer = new Checkpointer({
      file: this.#file,
      writer: this.db,
      guard: this.#guard,
      consumed: () => this.#logged,
      fsyncLog: () => this.#log.sync(),
      pause: () => pause(options.clock, CHECKPOINT_PAUSE_MS),
    })
    const { database, logFolder, reserveBytes, entropy } = options
    const lastFrame = (): number => this.#walFrames
    this.room = new DiskRoom({ database, logFolder, log, reserveBytes, entropy, lastFrame })
  }

  get head(): Position {
    return this.#head
  }

  /** Frames in the WAL: when there are many, it is time for a checkpoint. */
  get walFrames(): number {
    return this.#walFrames
  }

  get log(): { readonly first: Txid; readonly last: Txid; readonly bytes: number } {
    const { first, last, bytes } = this.#log
    return { first, last, bytes }
  }

  get stalled(): boolean {
    return this.#stalled !== undefined
  }

  /** Who is told of every commit, once it is in the log. To be called once, before the first commit. */
  connect(onCommitted: () => void): void {
    assert(this.#onCommitted === undefined, 'the commit log is connected once')
    this.#onCommitted = onCommitted
  }

  /**
   * After COMMIT: exactly one transaction must have come, ours. `stampMs` is the authority's time, for the segment. Throws
   * foreign_write, disk_full.
   */
  captureCommit(stampMs: number): Position {
    assert(this.#onCommitted !== undefined, 'nothing is committed before the commit log is connected')
    const [ours, ...others] = this.#reader.poll()
    if (ours === undefined) throw foreignWrite('our own commit is not in the WAL')
    if (others.length > 0) throw foreignWrite(`${others.length} transactions that are not ours are in the WAL`)
    this.#publish(this.#encode(ours, stampMs))
    return this.#head
  }

  /** While nothing of ours was committed nothing may be in the WAL. Throws foreign_write. */
  checkUndisturbed(): void {
    if (this.#reader.poll().length > 0) throw foreignWrite('a transaction that is not ours is in the WAL')
  }

  /** Whether a transaction could begin now: false while another program holds the write lock. Throws what else keeps it. */
  canBegin(): boolean {
    if (this.db.inTransaction) return true
    try {
      this.db.exec('BEGIN IMMEDIATE')
    } catch (error) {
      if (isBusy(error)) return false
      throw storageError(error, 'starting a transaction')
    }
    this.db.exec('ROLLBACK')
    return true
  }

  /** Tries again to log what a full disk kept out. Throws disk_full as long as it does. */
  unstall(): void {
    if (this.#stalled !== undefined) this.#publish(this.#stalled)
  }

  /** The segment of a transaction, or undefined when the log does not have it, or has it no longer as it was written. */
  segment(txid: Txid): Buffer | undefined {
    return this.#recent.get(txid) ?? (this.#log.has(txid) ? this.#readLogged(txid) : undefined)
  }

  /** Checksum after a transaction, as far back as the log reaches. */
  checksumAt(txid: Txid): Checksum | undefined {
    if (txid === this.#head.txid) return this.#head.checksum
    if (txid === TXID_NONE) return undefined
    const own = this.segment(txid)
    if (own !== undefined) return decodeHeader(own).postApply
    const next = this.segment(asTxid(txid + 1))
    return next === undefined ? undefined : decodeHeader(next).preApply
  }

  /** Of a transaction of this epoch, as far back as the log reaches. */
  positionAt({ epoch, txid }: Pick<Position, 'epoch' | 'txid'>): Position | undefined {
    const checksum = epoch === this.#head.epoch ? this.checksumAt(txid) : undefined
    return checksum === undefined ? undefined : { epoch, txid, checksum }
  }

  /**
   * The database as of its head; hold it only while it is read, because it keeps the WAL from being reset. Throws disk_full
   * while the log lacks the last transaction: the pages are then ahead of the head.
   */
  pin(): PageSource {
    if (this.stalled) throw new MacaroondError('disk_full', 'the last transaction is not in the segment log yet')
    return PageSource.pin(this.#file)
  }

  async checkpoint(): Promise<GuardedOutcome> {
    if (this.stalled) return { kind: 'busy' }
    // On a full disk the room of a WAL that is cut off would be somebody else's.
    const tooLong = this.#walFrames > WAL_FRAMES_KEPT && !this.room.full
    const outcome = tooLong ? await this.#checkpointer.checkpoint() : this.#checkpointer.recycle()
    if (outcome.kind === 'truncated') {
      this.#walFrames = 0
      this.room.truncated()
    }
    if (outcome.kind === 'truncated' || outcome.kind === 'backfilled') this.#log.prune()
    return outcome
  }

  /** Syncs the log before the last connection closes, because SQLite then empties the WAL. */
  close(): void {
    this.#log.close()
    this.#reader.close()
    this.room.close()
    // A WAL that holds more than the log must stay for the next start: a read-only connection that closes last leaves it.
    if (this.stalled) this.db.close()
    this.#guard.close()
    this.db.close()
    this.#file.close()
  }

  /** A damaged or unreadable record is as good as none: who needs it gets a snapshot, and nobody asks again and again. */
  #readLogged(txid: Txid): Buffer | undefined {
    try {
      return this.#log.read(txid)
    } catch (error) {
      this.#options.onDamagedLog(storageError(error, 'reading the segment log'))
      return undefined
    }
  }

  #checkedMeta(): Meta {
    const meta = new MetaReader(this.db).read()
    checkMeta(meta, this.#options.cluster, this.#options.database)
    return meta
  }

  #encode(transaction: WalTransaction, stampMs: number): CommittedSegment {
    return this.#capture.encode(transaction, asTxid(this.#head.txid + 1), stampMs)
  }

  #publish(segment: CommittedSegment): void {
    this.#stalled = segment
    try {
      this.#log.append(segment.position.txid, segment.bytes)
    } catch (error) {
      const failure = storageError(error, 'appending to the segment log')
      if (isDiskFull(failure)) this.room.met()
      throw failure
    }
    if (this.#log.tookReserve()) this.room.met()
    this.#stalled = undefined
    this.#head = segment.position
    this.#logged = this.#reader.position
    this.#walFrames = segment.endFrame
    this.room.committed()
    this.#remember(segment)
    this.#onCommitted?.()
  }

  #remember({ position, bytes }: CommittedSegment): void {
    this.#recent.set(position.txid, bytes)
    if (this.#recent.size > RECENT_MAX) this.#recent.delete(asTxid(position.txid - RECENT_MAX))
    assert(this.#recent.size <= RECENT_MAX, 'recent segments are bounded')
  }
}

function foreignWrite(what: string): MacaroondError {
  return new MacaroondError('foreign_write', `somebody else writes this database: ${what}`, {
    hint: `only the primary may write its database: find the other writer. Then ${REPAIR_HINT}`,
  })
}
