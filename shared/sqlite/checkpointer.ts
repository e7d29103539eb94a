/**
 * Empties the primary's WAL without ever losing a transaction that was not shipped.
 *
 * The guard stays while PASSIVE copies the bulk; it is let go only around TRUNCATE, when everything in the WAL was consumed and is in
 * the fsynced log. Whether somebody wrote in that moment shows in the wal-index: its change counter counts every commit.
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
  /** Up to where the WAL was read into the log; asked again before every step, because writes go on in between. */
  readonly consumed: () => WalPosition
  /** Makes the log durable, synchronously. Called before every step that could make the WAL's frames go. */
  readonly fsyncLog: () => void
  /** Lets readers finish between two attempts; by the system's timers unless said otherwise. */
  readonly pause?: () => Promise<unknown>
}

export type GuardedOutcome =
  | CheckpointOutcome
  /** The WAL holds frames that the log does not: poll first. */
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
   * PASSIVE, then TRUNCATE as soon as no reader is in the way, for `attempts` times at most. After `truncated` the next commit starts a
   * WAL with new salts, which `WalReader` finds by itself. Throws `foreign_write` when somebody committed while the guard was let go.
   */
  checkpoint(attempts: number = CHECKPOINT_ATTEMPTS_MAX): Promise<GuardedOutcome> {
    this.#running ??= this.#run(attempts).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /**
   * Copies everything and leaves the WAL in its place, for the next commit to start over from its beginning: syncing a file that does
   * not grow costs a fraction (the file system has nothing of its own to write down). `backfilled` when that is how it stands; where a
   * reader still needs frames SQLite appends behind them instead. The guard is never let go. Throws `foreign_write` as `checkpoint`.
   */
  recycle(): GuardedOutcome {
    if (this.#running !== undefined) return { kind: 'busy' }
    const before = this.#prepare()
    if ('kind' in before) return before
    const { guard, writer } = this.#parts
    guard.advance()
    const outcome = runCheckpoint(writer, 'PASSIVE')
    if (outcome.kind !== 'backfilled') return outcome
    // With all frames copied the guard moves on to the database file, and no longer holds the WAL as it is.
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
      hint: 'nobody but this node may write its database: find the program. Then, of a primary, `macaroond repair`; of a replica, start from a fresh snapshot',
    })
  }

  /** The wal-index header where nothing would be lost with the WAL; otherwise why not now. */
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
