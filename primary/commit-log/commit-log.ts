/**
 * Owns the primary's database and its segment log: the only writing connection, the guard, the WAL reader and the log. The
 * guard is an open read transaction, so no other program can reset the WAL. A commit has four steps: SQLite commits and
 * fsyncs, the WAL reader reads the frames back, the frames become a segment, and the log appends it. Invariant: the log has
 * every committed transaction before the WAL is reset, in the order of the WAL.
 */
import { REPAIR_HINT } from '../../shared/repair-hint.ts'
import { dirname } from 'node:path'
import { pause, type Clock, type Entropy, type Timers } from '../../shared/clock.ts'
import { newestAuditMs } from '../../shared/database/audit-chain.ts'
import { readBases } from '../../shared/database/epochs.ts'
import { checkMeta, MetaReader, type Meta } from '../../shared/database/meta.ts'
import { MacaroondError, assert } from '../../shared/errors.ts'
import { TXID_NONE, txid as asTxid, type Checksum, type Epoch, type Timeline, type Txid } from '../../shared/ids.ts'
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
import type { Capture, CommittedSegment } from './capture.ts'
import { DiskRoom, isDiskFull } from './disk-room.ts'
import { recover, type RecoverOptions } from './recover.ts'
import { SegmentLog } from './segment-log.ts'

export interface CommitLogOptions {
  readonly database: string
  readonly logFolder: string
  readonly keepBytes: number
  readonly cluster: string
  readonly clock: Clock & Timers
  readonly entropy: Entropy
  /** Disk space kept for essential commands. */
  readonly reserveBytes: number
  /** Writes the first transaction of an empty database. */
  readonly initialize: (db: Database) => void
  /** Called if the log lacks transactions of the database, after the log was set aside. */
  readonly onGap: RecoverOptions['onGap']
  /** Called if a record of the log is damaged; replicas then get a snapshot. It may be called again for the same record. */
  readonly onDamagedLog: (error: MacaroondError) => void
}

/** A WAL that grew beyond this during a long read (64 MB) is truncated. A shorter one is reused in place. */
const WAL_FRAMES_KEPT = 16_384

/** Segments kept in memory, so that sending to an up-to-date replica reads no file. */
const RECENT_MAX = 64

export class CommitLog {
  readonly db: Database
  readonly timeline: Timeline
  /** First transaction of each epoch that this database knows, ascending by epoch; 0 for the first epoch. */
  readonly bases: ReadonlyMap<Epoch, Txid>
  readonly room: DiskRoom
  readonly #options: CommitLogOptions
  readonly #file: DatabaseFile
  readonly #guard: Guard
  readonly #reader: WalReader
  readonly #log: SegmentLog
  readonly #capture: Capture
  readonly #checkpointer: Checkpointer
  readonly #recent = new Map<Txid, Buffer>()
  /**
   * A segment that is committed, but not in the log because the disk is full. The primary writes nothing else before the log
   * has it.
   */
  #stalled: CommittedSegment | undefined
  #onCommitted: (() => void) | undefined
  #head: Position
  #logged: WalPosition
  #walFrames: number

  constructor(options: CommitLogOptions) {
    this.#options = options
    this.#file = DatabaseFile.open(options.database, { create: true })
    this.db = openWritable(options.database)
    // The WAL may hold commits whose fsync failed. Writing the WAL again makes them durable before the next commit.
    rewriteWal(this.db)
    options.initialize(this.db)
    const meta = this.#checkedMeta()
    this.timeline = meta.timeline
    this.bases = readBases(this.db)
    this.#guard = Guard.open(options.database)
    // SQLite has created the -wal by now, but does not sync its directory entry.
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

  /** Frames in the WAL. A checkpoint is due once there are many. */
  get walFrames(): number {
    return this.#walFrames
  }

  get log(): { readonly first: Txid; readonly last: Txid; readonly bytes: number } {
    const { first, last, bytes } = this.#log
    return { first, last, bytes }
  }

  /** True while a full disk keeps the last transaction out of the log. */
  get stalled(): boolean {
    return this.#stalled !== undefined
  }

  /** Sets the callback that runs after each commit is in the log. Call it once, before the first commit. */
  connect(onCommitted: () => void): void {
    assert(this.#onCommitted === undefined, 'the commit log is connected once')
    this.#onCommitted = onCommitted
  }

  /**
   * Logs the transaction that was just committed. The WAL must have exactly one new transaction, which is ours. The segment is
   * stamped with `stampMs`, the authority's time. Throws foreign_write, disk_full.
   */
  captureCommit(stampMs: number): Position {
    assert(this.#onCommitted !== undefined, 'nothing is committed before the commit log is connected')
    const [ours, ...others] = this.#reader.poll()
    if (ours === undefined) throw foreignWrite('our own commit is not in the WAL')
    if (others.length > 0) throw foreignWrite(`the WAL has ${others.length} transactions that are not ours`)
    this.#publish(this.#encode(ours, stampMs))
    return this.#head
  }

  /** Checks that no other program has committed since our last commit. Throws foreign_write. */
  checkNoForeignWrite(): void {
    if (this.#reader.poll().length > 0) throw foreignWrite('the WAL has a transaction that is not ours')
  }

  /** True if a transaction could begin now; false while another program holds the write lock. Throws storage errors. */
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

  /** Tries again to log the stalled transaction. Throws disk_full if there is still no room. */
  logStalled(): void {
    if (this.#stalled !== undefined) this.#publish(this.#stalled)
  }

  /** The segment of a transaction; undefined if the log does not hold it, or its record is damaged. */
  segment(txid: Txid): Buffer | undefined {
    return this.#recent.get(txid) ?? (this.#log.has(txid) ? this.#readLogged(txid) : undefined)
  }

  /**
   * Time of the head, unix milliseconds. Right after a restore the log does not have that transaction, and the time is that of
   * the newest audit record, which the restore wrote.
   */
  get headMs(): number {
    const last = this.segment(this.#head.txid)
    return last === undefined ? newestAuditMs(this.db) : decodeHeader(last).timestampMs
  }

  /** Checksum of the database after a transaction; undefined if the log does not reach it. */
  checksumAt(txid: Txid): Checksum | undefined {
    if (txid === this.#head.txid) return this.#head.checksum
    if (txid === TXID_NONE) return undefined
    const own = this.segment(txid)
    if (own !== undefined) return decodeHeader(own).postApply
    const next = this.segment(asTxid(txid + 1))
    return next === undefined ? undefined : decodeHeader(next).preApply
  }

  /** Position of a transaction of this epoch; undefined if the log does not reach it. */
  positionAt({ epoch, txid }: Pick<Position, 'epoch' | 'txid'>): Position | undefined {
    const checksum = epoch === this.#head.epoch ? this.checksumAt(txid) : undefined
    return checksum === undefined ? undefined : { epoch, txid, checksum }
  }

  /**
   * A view of the database at its head. Release it soon: until then the WAL cannot be reset. Throws disk_full while a
   * transaction is stalled, because the pages are then ahead of the head.
   */
  pin(): PageSource {
    if (this.stalled) throw new MacaroondError('disk_full', 'the last transaction is not in the segment log yet')
    return PageSource.pin(this.#file)
  }

  async checkpoint(): Promise<GuardedOutcome> {
    if (this.stalled) return { kind: 'busy' }
    // On a full disk the WAL is not truncated, because another program would take the space that this frees.
    const tooLong = this.#walFrames > WAL_FRAMES_KEPT && !this.room.full
    const outcome = tooLong ? await this.#checkpointer.checkpoint() : this.#checkpointer.recycle()
    if (outcome.kind === 'truncated') {
      this.#walFrames = 0
      this.room.truncated()
    }
    if (outcome.kind === 'truncated' || outcome.kind === 'backfilled') this.#log.prune()
    return outcome
  }

  /** Syncs the log before the last connection closes, because SQLite then deletes the WAL. */
  close(): void {
    this.#log.close()
    this.#reader.close()
    this.room.close()
    // If the WAL holds a transaction that the log lacks, it must stay for the next start. SQLite keeps it if a read-only
    // connection closes last.
    if (this.stalled) this.db.close()
    this.#guard.close()
    this.db.close()
    this.#file.close()
  }

  /** A damaged record counts as missing: a replica that needs it gets a snapshot, instead of the same error on each retry. */
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
      if (isDiskFull(failure)) this.room.noteFull()
      throw failure
    }
    if (this.#log.usedReserve()) this.room.noteFull()
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
  return new MacaroondError('foreign_write', `another program writes this database: ${what}`, {
    hint: `only the primary may write its database: find the other writer. Then ${REPAIR_HINT}`,
  })
}
