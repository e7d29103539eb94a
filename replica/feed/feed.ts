/**
 * The `feed` channel of a replica. It keeps a session for each worker, notifies all sessions of new revocations, and computes
 * the sub-lease that a worker may get. A worker gets no lease while the replica itself may not judge.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import type { Acceptance } from '../../shared/channel/inbound.ts'
import type { JsonObject } from '../../shared/channel/json.ts'
import type { Clock, Timers } from '../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { FEED_PAUSE_MS } from '../../shared/limits.ts'
import { feedHello, type FeedWelcome } from '../../shared/protocol/feed.ts'
import { Paced } from '../../shared/service/paced.ts'
import type { Freshness } from '../freshness/freshness.ts'
import type { HistoryPoint } from '../revocations/history.ts'
import type { Tables } from '../tables/tables.ts'
import { JudgingPermit } from '../verify/judging-permit.ts'
import { FeedSession, type SubLease } from './feed-session.ts'
import type { RecentRows } from './recent-rows.ts'

export interface FeedOptions {
  readonly region: string
  readonly tables: Pick<Tables, 'meta' | 'uninterpretable'>
  readonly freshness: Pick<Freshness, 'now' | 'remainingMs' | 'ageMs' | 'time' | 'boot' | 'pingMs' | 'workers'>
  readonly clock: Clock & Timers
  /** The newest enforced rows, which workers are sent. */
  readonly rows: RecentRows
  /** The point up to which this replica enforces all revocations; undefined without data. */
  readonly enforced: () => HistoryPoint | undefined
}

export class Feed {
  readonly #options: FeedOptions
  readonly #permit: JudgingPermit
  readonly #sessions = new Set<FeedSession>()
  readonly #notices: Paced

  constructor(options: FeedOptions) {
    this.#options = options
    this.#permit = new JudgingPermit(options)
    this.#notices = new Paced(() => this.#notifyAll(), FEED_PAUSE_MS, options.clock)
  }

  get workers(): number {
    return this.#sessions.size
  }

  /** Answers a worker's hello. */
  accept(hello: JsonObject): Acceptance {
    if (!feedHello.safeParse(hello).success) return refuse('protocol_violation', 'the hello is not that of a worker')
    const { region, freshness, enforced } = this.#options
    if (enforced() === undefined) return refuse('position_unreached', 'this replica has no data yet')
    const welcome: FeedWelcome = { boot: freshness.boot, region, pingMs: freshness.pingMs }
    return { ok: true, welcome }
  }

  /** Serves the worker until the connection ends. */
  async serve(connection: Connection): Promise<void> {
    const hello = feedHello.parse(connection.hello)
    const { rows, freshness } = this.#options
    this.#catchUp()
    const session = new FeedSession({
      connection,
      hello,
      rows,
      grants: freshness.workers,
      boot: freshness.boot,
      subLease: () => this.#subLease(),
      clock: this.#options.clock,
    })
    this.#sessions.add(session)
    try {
      await session.run()
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error('the feed ended'))
    } finally {
      this.#sessions.delete(session)
    }
  }

  /** To be called when more revocations are enforced. A lone one is written to every worker in this turn of the event loop. */
  notify(): void {
    this.#notices.request()
  }

  close(): void {
    this.#notices.close()
  }

  #notifyAll(): void {
    this.#catchUp()
    for (const session of this.#sessions) session.notify()
  }

  /** The part of its own lease that this replica can grant now: none while it may not judge itself. */
  #subLease(): SubLease {
    const { freshness, tables } = this.#options
    this.#catchUp()
    const now = freshness.now()
    const time = freshness.time(now)
    const mayJudge = this.#permit.unavailable(now) === undefined && time.credible
    return {
      txid: tables.meta?.txid ?? 0,
      leaseMs: mayJudge ? freshness.remainingMs(now) : 0,
      ageMs: mayJudge ? freshness.ageMs(now) : 0,
      earliestMs: time.credible ? time.earliestMs : 0,
      latestMs: time.credible ? time.latestMs : 0,
    }
  }

  /**
   * Advances the recent rows to the enforced state. Some revocations never arrive as rows: those of the journal at start, and a
   * new epoch that has none. Workers that are behind these start with an empty cache.
   */
  #catchUp(): void {
    const state = this.#options.enforced()
    if (state !== undefined) this.#options.rows.advanceTo(state, state.seq)
  }
}

function refuse(code: 'protocol_violation' | 'position_unreached', message: string): Acceptance {
  return { ok: false, error: reportOf(new MacaroondError(code, message)) }
}
