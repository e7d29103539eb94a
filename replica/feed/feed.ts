/** The `feed` channel of a replica: every worker's session, and whether all of them are covered. */
import type { Connection } from '../../shared/channel/connection.ts'
import type { Acceptance } from '../../shared/channel/inbound.ts'
import type { JsonObject } from '../../shared/channel/json.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { GrantBook } from '../../shared/freshness/grant-book.ts'
import { feedHello, type FeedWelcome } from '../../shared/protocol/feed.ts'
import { type Basis, FeedSession } from './feed-session.ts'
import type { History, RecentRows } from './recent-rows.ts'

export interface FeedOptions {
  readonly boot: string
  readonly region: string
  readonly pingMs: number
  readonly rows: RecentRows
  readonly grants: GrantBook
  /** What this replica knows by other ways than the rows; undefined as long as it has no data. */
  readonly known: () => (History & { readonly seq: number }) | undefined
  readonly basis: () => Basis
}

export class Feed {
  readonly #options: FeedOptions
  readonly #sessions = new Set<FeedSession>()

  constructor(options: FeedOptions) {
    this.#options = options
  }

  get workers(): number {
    return this.#sessions.size
  }

  /** Answers a worker's hello. */
  accept(hello: JsonObject): Acceptance {
    if (!feedHello.safeParse(hello).success) return refuse('protocol_violation', 'the hello is not one of a worker')
    const { boot, region, pingMs, rows, known } = this.#options
    const state = known()
    if (state === undefined) return refuse('position_unreached', 'this replica has no data yet')
    rows.reached(state, state.seq)
    const welcome: FeedWelcome = { boot, region, pingMs }
    return { ok: true, welcome }
  }

  /** Serves the worker until the connection ends. */
  async serve(connection: Connection): Promise<void> {
    const { rows, grants, boot, basis } = this.#options
    const session = new FeedSession({ connection, hello: feedHello.parse(connection.hello), rows, grants, boot, basis })
    this.#sessions.add(session)
    try {
      await session.run()
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error('the feed ended'))
    } finally {
      this.#sessions.delete(session)
    }
  }

  /** Revocations came. */
  notify(): void {
    for (const session of this.#sessions) session.notify()
  }
}

function refuse(code: 'protocol_violation' | 'position_unreached', message: string): Acceptance {
  return { ok: false, error: reportOf(new MacaroondError(code, message)) }
}
