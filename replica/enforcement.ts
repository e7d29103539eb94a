/**
 * Propagates each change of the enforced state. When stream rows or pages are in the tables, it sends the new rows to the
 * workers and wakes the verifications that wait for a state. If the pages cannot be read into the tables, the replica ends,
 * because it would otherwise judge by old keys and nobody would notice.
 */
import { sqliteError } from '../shared/files/storage-errors.ts'
import type { Feed } from './feed/feed.ts'
import type { RecentRows } from './feed/recent-rows.ts'
import type { Freshness } from './freshness/freshness.ts'
import type { RowObserver } from './revocations/history.ts'
import type { RevocationStream } from './revocations/stream.ts'
import type { Tables } from './tables/tables.ts'
import type { Upkeep } from './upkeep.ts'
import type { PositionWaiters } from './verify/position-waiters.ts'

export interface EnforcementOptions {
  /** The data folder, for error messages. */
  readonly folder: string
  readonly tables: Pick<Tables, 'refresh'>
  readonly rows: Pick<RecentRows, 'take'>
  readonly stream: Pick<RevocationStream, 'applied'>
  readonly freshness: Pick<Freshness, 'applied'>
  readonly feed: Pick<Feed, 'notify'>
  /** Waiting verifications of listed peers, and of guests. */
  readonly waiters: readonly Pick<PositionWaiters, 'wake'>[]
  readonly upkeep: Pick<Upkeep, 'applied'>
  readonly onFatal: (error: unknown) => void
}

export class Enforcement {
  readonly #options: EnforcementOptions

  constructor(options: EnforcementOptions) {
    this.#options = options
  }

  /** To be called when rows of the stream are in the tables. */
  readonly onStreamRows: RowObserver = (place, stretch) => {
    this.#options.rows.take(place, stretch)
    this.#notify()
  }

  /** To be called when a transaction or a snapshot became visible. */
  onPages(): void {
    const { folder, tables, stream, freshness, upkeep, onFatal } = this.#options
    try {
      tables.refresh()
    } catch (error) {
      return onFatal(sqliteError(error, `reading ${folder}`))
    }
    freshness.applied(stream.applied)
    this.#notify()
    upkeep.applied()
  }

  #notify(): void {
    const { feed, waiters } = this.#options
    feed.notify()
    for (const waiting of waiters) waiting.wake()
  }
}
