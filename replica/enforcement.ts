/**
 * What happens when this replica enforces more than before: rows of the stream, and pages, go to the tables first; then
 * workers are sent what is new, and verifications that wait for a state look again. Without its tables a replica would go on
 * with old keys and say nothing, so tables that cannot be read end it.
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
  /** Names the pages in an error. */
  readonly folder: string
  readonly tables: Pick<Tables, 'refresh'>
  readonly rows: Pick<RecentRows, 'take'>
  readonly stream: Pick<RevocationStream, 'applied'>
  readonly freshness: Pick<Freshness, 'applied'>
  readonly feed: Pick<Feed, 'notify'>
  /** Verifications of listed peers, and of others. */
  readonly waiters: readonly Pick<PositionWaiters, 'wake'>[]
  readonly upkeep: Pick<Upkeep, 'applied'>
  readonly onFatal: (error: unknown) => void
}

export class Enforcement {
  readonly #options: EnforcementOptions

  constructor(options: EnforcementOptions) {
    this.#options = options
  }

  /** Rows came on the stream, and are in the tables. */
  readonly streamed: RowObserver = (place, stretch) => {
    this.#options.rows.take(place, stretch)
    this.#tell()
  }

  /** A transaction or a snapshot became visible. */
  paged(): void {
    const { folder, tables, stream, freshness, upkeep, onFatal } = this.#options
    try {
      tables.refresh()
    } catch (error) {
      return onFatal(sqliteError(error, `reading ${folder}`))
    }
    freshness.applied(stream.applied)
    this.#tell()
    upkeep.applied()
  }

  #tell(): void {
    const { feed, waiters } = this.#options
    feed.notify()
    for (const waiting of waiters) waiting.wake()
  }
}
