/**
 * Decides when a checkpoint is due, and reports how long readers have blocked it. SQLite cannot copy frames that are newer than
 * the oldest reader's state, so one open transaction makes the WAL grow until the disk is full, and SQLite reports no error.
 * `CheckpointPace` runs no checkpoint: its caller does, and reports how each one ended.
 */
import type { Clock } from '../clock.ts'
import { CHECKPOINT_BLOCKED_MS_MAX, CHECKPOINT_RETRY_MS, PAGE_BYTES, WAL_GROWTH_MAX } from '../limits.ts'

/** `pinned`: this node itself reads the database, for a snapshot or a scrub. `reader`: another connection or program does. */
export type Hindrance = 'pinned' | 'reader'

interface Blocked {
  readonly sinceMs: number
  readonly by: Hindrance
}

export class CheckpointPace {
  readonly #pages: number
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #dueAt: number
  #triedMs = 0
  #blocked: Blocked | undefined

  /** `pages`: the size of the WAL at which a checkpoint is due. */
  constructor(pages: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#pages = pages
    this.#clock = clock
    this.#dueAt = pages
  }

  /** True if a WAL of this many frames is due. A WAL smaller than the limit has started over, so nothing blocks it any more. */
  isDue(frames: number): boolean {
    if (frames < this.#pages) this.#unblock()
    return frames >= this.#dueAt
  }

  /** True if a blocked checkpoint should be retried. The reader may have gone, but without new commits nothing becomes due. */
  isOverdue(): boolean {
    return this.#blocked !== undefined && this.#clock.monotonicMs() - this.#triedMs >= CHECKPOINT_RETRY_MS
  }

  /** A checkpoint began. If it is blocked, the next one is due when the WAL has grown by the same size again. */
  began(frames: number): void {
    this.#dueAt = frames + this.#pages
    this.#triedMs = this.#clock.monotonicMs()
  }

  /** A checkpoint ended. `hindrance` names the reader that blocked it; undefined if the database file has every page now. */
  ended(hindrance: Hindrance | undefined): void {
    if (hindrance === undefined) this.#blocked = undefined
    else this.#blocked = { sinceMs: this.#blocked?.sinceMs ?? this.#clock.monotonicMs(), by: hindrance }
  }

  /** The WAL was emptied, so the next checkpoint is due at the plain limit. */
  emptied(): void {
    this.#unblock()
  }

  /** The alarm's detail; undefined until checkpoints were blocked for CHECKPOINT_BLOCKED_MS_MAX or the WAL is too large. */
  alarmDetail(frames: number): string | undefined {
    if (this.#blocked === undefined) return undefined
    const ms = this.#clock.monotonicMs() - this.#blocked.sinceMs
    if (ms < CHECKPOINT_BLOCKED_MS_MAX && frames < this.#pages * WAL_GROWTH_MAX) return undefined
    const by = this.#blocked.by === 'pinned' ? 'this node reads it, for a snapshot or a scrub' : 'a program reads it'
    return `${frames} pages (${Math.round((frames * PAGE_BYTES) / 2 ** 20)} MB), for ${Math.round(ms / 1_000)} s: ${by}`
  }

  #unblock(): void {
    this.#dueAt = this.#pages
    this.#blocked = undefined
  }
}
