/** The `feed` channel of a replica: every worker's session, and whether all of them are covered. */
import type { Connection } from '../../shared/channel/connection.ts'
import type { Acceptance } from '../../shared/channel/inbound.ts'
import type { JsonObject } from '../../shared/channel/json.ts'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { FRESHNESS_DEFAULTS } from '../../shared/freshness/bound.ts'
import { GrantBook } from '../../shared/freshness/grant-book.ts'
import { LEASE_HOLDERS_MAX } from '../../shared/limits.ts'
import { feedHello, type FeedWelcome } from '../../shared/protocol/feed.ts'
import { type Basis, FeedSession } from './feed-session.ts'
import type { Known, RowObserver } from '../revocations/stream.ts'
import { RecentRows } from './recent-rows.ts'

export interface FeedOptions {
  readonly region: string
  /** What this replica knows by other ways than the rows; undefined as long as it has no data. */
  readonly known: () => Known | undefined
  readonly basis: () => Basis
}

const BOOT_ID_BYTES = 16

export class Feed {
  /** What workers hold of this replica's lease. */
  readonly grants: GrantBook
  readonly #options: FeedOptions
  readonly #boot: string = systemEntropy.bytes(BOOT_ID_BYTES).toString('hex')
  readonly #rows = new RecentRows()
  readonly #sessions = new Set<FeedSession>()

  constructor(options: FeedOptions) {
    this.#options = options
    // Leases of this replica's last process hang on a lease that the primary has recorded for that process, and waits for.
    const grants = { earlierLeaseMs: 0, hops: 1, holdersMax: LEASE_HOLDERS_MAX }
    this.grants = new GrantBook({ clock: systemClock, clockRateError: FRESHNESS_DEFAULTS.clock_rate_error, ...grants })
  }

  get workers(): number {
    return this.#sessions.size
  }

  /** Answers a worker's hello. */
  accept(hello: JsonObject): Acceptance {
    if (!feedHello.safeParse(hello).success) return refuse('protocol_violation', 'the hello is not one of a worker')
    const { region, known } = this.#options
    const state = known()
    if (state === undefined) return refuse('position_unreached', 'this replica has no data yet')
    this.#rows.reached(state, state.seq)
    const welcome: FeedWelcome = { boot: this.#boot, region, pingMs: FRESHNESS_DEFAULTS.ping_ms }
    return { ok: true, welcome }
  }

  /** Serves the worker until the connection ends. */
  async serve(connection: Connection): Promise<void> {
    const hello = feedHello.parse(connection.hello)
    const own = { boot: this.#boot, rows: this.#rows, grants: this.grants, basis: this.#options.basis }
    const session = new FeedSession({ connection, hello, ...own })
    this.#sessions.add(session)
    try {
      await session.run()
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error('the feed ended'))
    } finally {
      this.#sessions.delete(session)
    }
  }

  /** Revocations are enforced here from now on; they go out with the next `notify`. */
  readonly take: RowObserver = (place, rows) => this.#rows.take(place, rows)

  notify(): void {
    for (const session of this.#sessions) session.notify()
  }

  close(): void {
    this.grants.close()
  }
}

function refuse(code: 'protocol_violation' | 'position_unreached', message: string): Acceptance {
  return { ok: false, error: reportOf(new MacaroondError(code, message)) }
}
