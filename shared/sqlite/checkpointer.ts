/**
 * Checkpoints the primary's WAL without losing a transaction that was not shipped.
 *
 * The guard holds the WAL while PASSIVE copies most of it. It is released only around TRUNCATE, after everything in the WAL was
 * read into the log and the log was fsynced. The change counter of the wal-index counts every commit, so it shows if another
 * program wrote while the guard was released.
 */
import { pause, systemClock } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { CHECKPOINT_ATTEMPTS_MAX, CHECKPOINT_PAUSE_MS } from '../limits.ts'
import type { CheckpointOutcome } from './checkpoint.ts'
import { runCheckpoint } from './checkpoint.ts'
import type { Database } from './open-database.ts'
import type { DatabaseFile } from './database-file.ts'
import type { Guard } from './guard.ts'
import type { IndexHeader } from './wal-index-format.ts'
import type { WalPosition } from './wal-reader.ts'

export interface CheckpointerParts {
  readonly file: DatabaseFile
  readonly writer: Database
  readonly guard: Guard
  /** Position up to which the WAL was read into the log. Read before every step, because writes go on in between. */
  readonly consumed: () => WalPosition
  /** Makes the log durable, synchronously. Called before every step that could remove frames from the WAL. */
  readonly fsyncLog: () => void
  /** Waits between two attempts, so that readers can finish. Default: CHECKPOINT_PAUSE_MS of the system's timers. */
  readonly pause?: () => Promise<unknown>
}

export type GuardedOutcome =
  | CheckpointOutcome
  /** The WAL holds frames that the log lacks; the caller must poll first. */
  | { readonly kind: 'unconsumed'; readonly lastFrame: number }

export class Checkpointer {
  readonly #parts: CheckpointerParts
  readonly #pause: () => Promise<unknown>
  #running: Promise<GuardedOutcome> | undefined

  constructor(parts: CheckpointerParts) {
    this.#parts = parts
    this.#pause = parts.pause ?? (() => pause(systemClock, CHECKPOINT_PAUSE_MS))
  }

  /**
   * Runs PASSIVE, then TRUNCATE until no reader blocks it, `attempts` times at most. After `truncated` the next commit starts a
   * WAL with new salts, which `WalReader` detects. Throws foreign_write if another program committed while the guard was
   * released.
   */
  checkpoint(attempts: number = CHECKPOINT_ATTEMPTS_MAX): Promise<GuardedOutcome> {
    this.#running ??= this.#run(attempts).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /**
   * Copies everything and keeps the file, so that the next commit overwrites it from the beginning. Syncing a file that does
   * not grow is much cheaper, because the file system has no metadata to write. Returns `backfilled` on success. If a reader
   * still needs frames, SQLite appends after them instead. The guard is never released. Throws foreign_write, as `checkpoint`
   * does.
   */
  recycle(): GuardedOutcome {
    if (this.#running !== undefined) return { kind: 'busy' }
    const before = this.#prepare()
    if ('kind' in before) return before
    const { guard, writer } = this.#parts
    guard.advance()
    const outcome = runCheckpoint(writer, 'PASSIVE')
    if (outcome.kind !== 'backfilled') return outcome
    // All frames are copied, so the guard now reads from the database file, and the next commit may overwrite the WAL.
    guard.advance()
    this.#requireAlone(before)
    return outcome
  }

  async #run(attempts: number): Promise<GuardedOutcome> {
    let outcome = this.#passive()
    for (let attempt = 0; attempt < attempts && isUnfinished(outcome); attempt += 1) {
      if (attempt > 0) await this.#pause()
      if (!this.#parts.writer.open) break
      outcome = this.#truncate()
    }
    return outcome
  }

  #passive(): GuardedOutcome {
    const { guard, writer } = this.#parts
    const ready = this.#prepare()
    if ('kind' in ready) return ready
    guard.advance()
    return runCheckpoint(writer, 'PASSIVE')
  }

  #truncate(): GuardedOutcome {
    const { guard, writer } = this.#parts
    const before = this.#prepare()
    if ('kind' in before) return before
    const outcome = guard.whileReleased(() => runCheckpoint(writer, 'TRUNCATE'))
    this.#requireAlone(before)
    return outcome
  }

  #requireAlone(before: IndexHeader): void {
    const { file } = this.#parts
    if (file.walIndex.readHeader().changeCounter === before.changeCounter) return
    throw new MacaroondError('foreign_write', `another program wrote ${file.path} during a checkpoint`, {
      hint: 'nobody but this node may write its database: find the program. Then run `macaroond repair` for a primary; give a replica a fresh snapshot',
    })
  }

  /** Fsyncs the log and returns the wal-index header if the WAL may be emptied; otherwise the outcome that says why not. */
  #prepare(): IndexHeader | GuardedOutcome {
    const { file, consumed, fsyncLog } = this.#parts
    if (file.pinned) return { kind: 'pinned' }
    const header = file.walIndex.readHeader()
    if (header.lastFrame === 0) return { kind: 'empty' }
    const { salt1, salt2, frame } = consumed()
    if (salt1 !== header.salt1 || salt2 !== header.salt2 || frame !== header.lastFrame) {
      return { kind: 'unconsumed', lastFrame: header.lastFrame }
    }
    fsyncLog()
    return header
  }
}

function isUnfinished(outcome: GuardedOutcome): boolean {
  return outcome.kind === 'partial' || outcome.kind === 'backfilled' || outcome.kind === 'busy'
}
