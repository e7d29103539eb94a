/**
 * The replica's byte-identical copy of the primary's database, and its position. A transaction or a snapshot changes it. Each
 * change is recorded with its checksum before it becomes visible. The caller has compared the position with the primary's.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pause, turn, type Clock, type Entropy, type Timers } from '../../shared/clock.ts'
import { checksumOf } from '../../shared/database/pages-checksum.ts'
import { MacaroondError, assert, reportOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Segment } from '../../shared/ltx/decoder.ts'
import type { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import type { Hindrance } from '../../shared/sqlite/checkpoint-pace.ts'
import { DatabaseBuilder } from '../../shared/sqlite/create-database.ts'
import { PageSource } from '../../shared/sqlite/page-source.ts'
import { rewriteWal } from '../../shared/sqlite/rewrite-wal.ts'
import type { ApplyResult, WalAppender } from '../../shared/sqlite/wal-appender.ts'
import type { AppliedState } from '../follower/core.ts'
import { finishMovingAside, moveAside } from './damaged.ts'
import { closeCopy, DATABASE_FILES, DATABASE_NAME, examineCopy, openCopy, type OpenCopy } from './open-copy.ts'
import { PositionRecord } from './position-record.ts'
import type { SnapshotFile } from './snapshot-file.ts'

export interface DatabaseCopyOptions {
  readonly folder: string
  readonly cluster: string
  readonly clock: Clock & Timers
  readonly entropy: Entropy
  readonly log: Log
  /** Called when the database file was closed (undefined) or opened: statements on the old one are invalid. */
  readonly onReopened: (copy: OpenCopy | undefined) => void
}

/** A snapshot that is about to replace the pages. */
export interface Replacement {
  readonly next: AppliedState
  /** The state of the pages; undefined if they are damaged or if there are none. */
  readonly before: AppliedState | undefined
  /** The newest state that was ever recorded, also if the pages are damaged; undefined for a new replica. */
  readonly recorded: AppliedState | undefined
}

/** Called before a snapshot replaces the pages. It calls `install`, or throws. */
export type Installing = (replacement: Replacement, install: () => Promise<void>) => Promise<void>

/** `stopped`: the pages were replaced during the scrub, or it was aborted. `unread`: the disk could not read a page. */
export type ScrubOutcome = 'sound' | 'damaged' | 'unread' | 'stopped'

const BUSY_PAUSE_MS = 5
/** A write transaction of another program on the copy is logged after this time. */
const BUSY_WARN_MS = 1_000
const PAGES_A_TURN = 256

export class DatabaseCopy {
  readonly #options: DatabaseCopyOptions
  readonly #record: PositionRecord
  #open: OpenCopy | undefined
  #checksums: PageChecksums | undefined
  #applied: AppliedState | undefined
  #installing: Installing | undefined

  /** Throws wrong_cluster, schema_newer. A damaged copy is moved aside; then `applied` is undefined. */
  constructor(options: DatabaseCopyOptions) {
    this.#options = options
    this.#record = new PositionRecord(join(options.folder, 'position'))
    finishMovingAside(options.folder, DATABASE_FILES, options.clock.wallMs())
    if (existsSync(join(options.folder, DATABASE_NAME))) this.#openExisting()
  }

  /** Sets the function that is called before a snapshot is installed. To be called once, before the first snapshot. */
  beforeInstall(installing: Installing): void {
    assert(this.#installing === undefined, 'beforeInstall is called once')
    this.#installing = installing
  }

  get applied(): AppliedState | undefined {
    return this.#applied
  }

  /** The newest state that was ever recorded, also if the pages are damaged; undefined for a new replica. */
  get recorded(): AppliedState | undefined {
    return this.#applied ?? this.#record.newest()
  }

  get walBytes(): number {
    return this.#open?.appender.walBytes ?? 0
  }

  get walFrames(): number {
    return this.#open?.appender.walFrames ?? 0
  }

  /**
   * Applies one transaction whose position the caller has judged. It is visible when this resolves and durable after `sync`.
   * Throws segment_corrupt if its pages do not give the checksum that it states; then nothing was changed.
   */
  async apply({ pages, header }: Segment, next: AppliedState): Promise<void> {
    const checksums = this.#checksums
    assert(checksums !== undefined, 'a segment is applied only to a copy with a position')
    const change = checksums.preview(pages, header.commit)
    if (change.checksum !== next.position.checksum) {
      throw new MacaroondError('segment_corrupt', 'the pages of a segment do not give its post-apply checksum')
    }
    this.#record.append(next)
    await this.#whenFree((appender) => appender.apply({ pages, commitPages: header.commit }))
    if (this.#checksums !== checksums) {
      throw new MacaroondError('database_corrupt', 'the copy was found damaged while a transaction waited for it')
    }
    checksums.apply(change)
    this.#applied = next
  }

  /** Replaces all pages by those of a snapshot, which is one transaction for readers. */
  async install(snapshot: SnapshotFile, pageCount: number, next: AppliedState): Promise<void> {
    assert(this.#installing !== undefined, 'beforeInstall is called before the first snapshot is installed')
    const replacement = { next, before: this.#applied, recorded: this.recorded }
    await this.#installing(replacement, async () => {
      this.#record.append(next)
      this.#record.sync()
      if (this.#open === undefined) await this.#build(snapshot, pageCount)
      else await this.#replace(snapshot, pageCount)
      this.#checksums = snapshot.checksums
      this.#applied = next
    })
  }

  /** Makes all applied transactions durable, the record of positions first. */
  sync(): void {
    this.#record.sync()
    this.#open?.appender.sync()
  }

  /** Copies the WAL into the database. Returns what prevented it; undefined if the WAL is empty now. */
  async checkpoint(): Promise<Hindrance | undefined> {
    const outcome = await this.#open?.appender.checkpoint()
    this.#options.log.debug({ outcome }, 'checkpoint')
    if (outcome === undefined || outcome.kind === 'truncated' || outcome.kind === 'empty') return undefined
    return outcome.kind === 'pinned' ? 'pinned' : 'reader'
  }

  /** Reads every page and compares the checksum. A damaged copy has no position any more. Without pages: sound. */
  async scrub(signal: AbortSignal): Promise<ScrubOutcome> {
    const checksums = this.#checksums
    if (this.#open === undefined) return 'sound'
    if (checksums === undefined) return 'damaged'
    const expected = checksums.checksum
    const found = await checksumOf(PageSource.pin(this.#open.file), this.#options.clock, signal)
    // A snapshot was installed during the scrub and replaced the pages that were read.
    if (found === undefined || this.#checksums !== checksums) return 'stopped'
    if (found === expected) return 'sound'
    this.#applied = undefined
    this.#checksums = undefined
    return 'damaged'
  }

  /** Moves the copy aside after damage or a write by another program. There is no position until a snapshot arrives. */
  abandon(error: MacaroondError): void {
    this.#close()
    this.#moveAside(error)
  }

  close(): void {
    this.#close()
    this.#record.close()
  }

  #openExisting(): void {
    const { folder, entropy, clock, cluster, onReopened } = this.#options
    try {
      this.#open = openCopy(folder, { entropy, timers: clock })
      // The last sync of an earlier process may have failed, and later acknowledgements need these pages on the disk.
      rewriteWal(this.#open.appender.connection)
      const { applied, checksums } = examineCopy(this.#open, this.#record, cluster)
      this.#applied = applied
      this.#checksums = checksums
      onReopened(this.#open)
    } catch (error) {
      this.#close()
      if (!isDamage(error)) throw error
      this.#moveAside(error)
    }
  }

  #moveAside(error: MacaroondError): void {
    const { folder, clock, log } = this.#options
    const movedTo = moveAside(folder, DATABASE_FILES, clock.wallMs())
    log.error({ error: reportOf(error), movedTo }, 'the copy was damaged: a snapshot will replace it')
  }

  async #build(snapshot: SnapshotFile, pageCount: number): Promise<void> {
    const { folder, entropy, clock, onReopened } = this.#options
    const builder = new DatabaseBuilder(join(folder, DATABASE_NAME), pageCount)
    try {
      let written = 0
      for (const page of snapshot.pages()) {
        builder.write(page)
        written += 1
        if (written % PAGES_A_TURN === 0) await turn(clock)
      }
      builder.finish()
    } catch (error) {
      builder.abort()
      throw error
    }
    try {
      this.#open = openCopy(folder, { entropy, timers: clock })
    } catch (error) {
      // A database file that cannot be opened would make every later snapshot fail.
      for (const name of DATABASE_FILES) rmSync(join(folder, name), { force: true })
      throw error
    }
    onReopened(this.#open)
  }

  /** Appends the snapshot in parts: a gigabyte takes seconds, and verifications and revocations must not wait for it. */
  async #replace(snapshot: SnapshotFile, commitPages: number): Promise<void> {
    const change = { pages: snapshot.pages(), commitPages }
    await this.#whenFree((appender) => appender.applyInTurns(change, () => turn(this.#options.clock)))
  }

  /** Waits while another program holds the write lock. Readers see the old state until the change is complete. */
  async #whenFree(apply: (appender: WalAppender) => ApplyResult | Promise<ApplyResult>): Promise<void> {
    assert(this.#open !== undefined, 'there is a database to append to')
    const { appender } = this.#open
    const startedMs = this.#options.clock.monotonicMs()
    let warned = false
    while (!(await apply(appender)).applied) {
      await pause(this.#options.clock, BUSY_PAUSE_MS)
      if (warned || this.#options.clock.monotonicMs() - startedMs < BUSY_WARN_MS) continue
      warned = true
      this.#options.log.error('another program holds a write transaction on the copy: nothing is applied until it ends')
    }
  }

  #close(): void {
    if (this.#open === undefined) return
    this.#options.onReopened(undefined)
    closeCopy(this.#open)
    this.#open = undefined
    this.#applied = undefined
    this.#checksums = undefined
  }
}

/** True for an error that a new snapshot repairs. The operator must handle any other error. */
export function isDamage(error: unknown): error is MacaroondError {
  return error instanceof MacaroondError && (error.code === 'database_corrupt' || error.code === 'foreign_write')
}
