/**
 * Compares all pages of the copy with their checksum: on a schedule, and before anybody relies on pages that were compared only
 * when they were applied. Callers that come during a pass share it. A pass reads in parts, beside other work.
 */
import { MacaroondError } from '../../shared/errors.ts'
import type { AlarmBoard } from '../../shared/service/alarm-board.ts'
import type { DatabaseCopy, ScrubOutcome } from './database-copy.ts'

export interface PageScrubOptions {
  readonly copy: Pick<DatabaseCopy, 'applied' | 'scrub'>
  readonly alarms: Pick<AlarmBoard, 'set'>
}

export class PageScrub {
  readonly #options: PageScrubOptions
  readonly #stopped = new AbortController()
  #onDamaged: (() => void) | undefined
  #running: Promise<ScrubOutcome> | undefined
  #passes = 0
  #last: ScrubOutcome = 'stopped'

  constructor(options: PageScrubOptions) {
    this.#options = options
  }

  /** Sets the function that is called when a pass finds damage: a snapshot must replace the pages. */
  start(onDamaged: () => void): void {
    this.#onDamaged = onDamaged
  }

  /** Number of the pass that is running or ended last. */
  get pass(): number {
    return this.#passes
  }

  /** The outcome of that pass; undefined while it is running. */
  get outcome(): ScrubOutcome | undefined {
    return this.#running === undefined ? this.#last : undefined
  }

  /** Resolves with the outcome of the running pass, or of a new one. */
  run(): Promise<ScrubOutcome> {
    this.#running ??= this.#compare().finally(() => (this.#running = undefined))
    return this.#running
  }

  /** Aborts the running pass. Resolves when none runs. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running?.catch(() => undefined)
  }

  async #compare(): Promise<ScrubOutcome> {
    const { copy, alarms } = this.#options
    this.#passes += 1
    this.#last = 'stopped'
    const hadPosition = copy.applied !== undefined
    let detail = 'the scrub found it'
    const outcome = await copy.scrub(this.#stopped.signal).catch((error: unknown): ScrubOutcome => {
      if (!(error instanceof MacaroondError) || error.code !== 'io_failed') throw error
      detail = error.message
      return 'unread'
    })
    this.#last = outcome
    if (outcome !== 'stopped') alarms.set('copy_damaged', outcome === 'sound' ? undefined : detail)
    // The damage of a copy without a position is known, and its snapshot may be on the way.
    if (outcome === 'damaged' && hadPosition) this.#onDamaged?.()
    return outcome
  }
}
