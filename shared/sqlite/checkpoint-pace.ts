/**
 * When a checkpoint is due, and since when none got through. SQLite cannot copy what a reader may still need, so whoever keeps
 * a transaction open makes the WAL grow until the disk is full; nothing else would say so.
 */
import type { Clock } from '../clock.ts'
import { CHECKPOINT_BLOCKED_MS_MAX, CHECKPOINT_RETRY_MS, PAGE_BYTES, WAL_GROWTH_MAX } from '../limits.ts'

/** `pinned`: this node itself reads the database, for a snapshot or a scrub. */
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

  /** `pages`: of a WAL that is due for a checkpoint. */
  constructor(pages: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#pages = pages
    this.#clock = clock
    this.#dueAt = pages
  }

  /** After pages came. A WAL that began anew has let go of whatever was in the way. */
  isDue(frames: number): boolean {
    if (frames < this.#pages) this.#through()
    return frames >= this.#dueAt
  }

  /** Nothing may come for long, and the reader be gone: what was in the way is tried again. */
  isOverdue(): boolean {
    return this.#blocked !== undefined && this.#clock.monotonicMs() - this.#triedMs >= CHECKPOINT_RETRY_MS
  }

  /** While something is in the way the next try waits until the WAL has grown by as much again. */
  began(frames: number): void {
    this.#dueAt = frames + this.#pages
    this.#triedMs = this.#clock.monotonicMs()
  }

  /** Every page of the WAL is in the database file, or what was in the way. */
  ended(hindrance: Hindrance | undefined): void {
    if (hindrance === undefined) this.#blocked = undefined
    else this.#blocked = { sinceMs: this.#blocked?.sinceMs ?? this.#clock.monotonicMs(), by: hindrance }
  }

  /** The WAL is empty: the next one is due at its own size. */
  emptied(): void {
    this.#through()
  }

  /** For an alarm; undefined as long as it is no matter. */
  stuck(frames: number): string | undefined {
    if (this.#blocked === undefined) return undefined
    const ms = this.#clock.monotonicMs() - this.#blocked.sinceMs
    if (ms < CHECKPOINT_BLOCKED_MS_MAX && frames < this.#pages * WAL_GROWTH_MAX) return undefined
    const by = this.#blocked.by === 'pinned' ? 'this node reads it, for a snapshot or a scrub' : 'a program reads it'
    return `${frames} pages (${Math.round((frames * PAGE_BYTES) / 2 ** 20)} MB), for ${Math.round(ms / 1_000)} s: ${by}`
  }

  #through(): void {
    this.#dueAt = this.#pages
    this.#blocked = undefined
  }
}
