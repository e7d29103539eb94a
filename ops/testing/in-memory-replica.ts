/**
 * The replica of a test: the tables, the lease, the believed time and the verification of a real one. It reads the primary's
 * database, so it has every commit at once.
 */
import { Freshness } from '../../replica/freshness/freshness.ts'
import { Tables } from '../../replica/tables/tables.ts'
import { JudgingPermit } from '../../replica/verify/judging-permit.ts'
import { PositionWaiters } from '../../replica/verify/position-waiters.ts'
import { VerifyApi } from '../../replica/verify/verify-api.ts'
import type { RpcMethod } from '../../shared/channel/rpc-server.ts'
import type { Entropy } from '../../shared/clock.ts'
import { MetaReader, type Meta } from '../../shared/database/meta.ts'
import { silentLog } from '../../shared/log.ts'
import type { FromStream } from '../../shared/protocol/revocations.ts'
import { assert } from '../../shared/errors.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { InMemoryPrimary } from './in-memory-primary.ts'
import type { FeedBasis } from './in-process-feed.ts'
import type { ManualClock } from './manual-clock.ts'

export interface InMemoryReplicaOptions {
  readonly cluster: string
  readonly kek: Kek
  readonly primary: InMemoryPrimary
  readonly peerId: string
  readonly region: string
  readonly clock: ManualClock
  readonly entropy: Entropy
}

export class InMemoryReplica {
  readonly tables: Tables
  readonly #options: InMemoryReplicaOptions
  readonly #freshness: Freshness
  readonly #permit: JudgingPermit
  readonly #verify: VerifyApi
  readonly #waiters: PositionWaiters
  /** Added to the next lease, milliseconds. */
  #extraMs = 0

  constructor(options: InMemoryReplicaOptions) {
    const { cluster, kek, primary, peerId, region, clock, entropy } = options
    const { db } = primary
    this.#options = options
    this.tables = new Tables({ cluster, ring: [kek], entropy, timers: clock, log: silentLog })
    this.tables.attach({ reader: db, meta: new MetaReader(db) })
    this.#waiters = new PositionWaiters(clock.prompt)
    this.#freshness = new Freshness({
      clock,
      entropy,
      log: silentLog,
      largestLease: { leaseMs: 0, raise: () => undefined },
      issueClockMs: () => this.tables.meta?.issueClockMs,
      acceptClock: true,
      onSigned: () => undefined,
      onRenewed: () => this.#waiters.wake(),
    })
    const judging = { node: peerId, region, tables: this.tables, freshness: this.#freshness }
    this.#permit = new JudgingPermit(judging)
    this.#verify = new VerifyApi({ ...judging, waiters: this.#waiters })
  }

  /** The calls of the `verify` channel. */
  get methods(): Record<string, RpcMethod> {
    return {
      verify: (value) => this.#verify.verify(value, { withAge: true }),
      explain: (value) => this.#verify.explain(value),
    }
  }

  /** Begins to renew the lease. */
  connect(): void {
    this.tables.refresh()
    this.#freshness.connected(this.#options.primary.welcome(), (ping) => this.#answer(ping))
  }

  /** No lease is renewed until `connect`. */
  disconnect(): void {
    this.#freshness.disconnected()
  }

  /** Renews the lease now. `extraMs` makes this one longer than the primary grants. */
  renew(extraMs = 0): void {
    this.#extraMs = extraMs
    this.#freshness.freshen()
    this.#extraMs = 0
  }

  /** Reads the last commit, and renews the lease. */
  committed(): void {
    this.tables.refresh()
    this.renew()
  }

  /** Reports that its worker has applied everything, too. */
  acknowledge(): void {
    this.#options.primary.acknowledge(this.#freshness.boot)
  }

  /** The state and the lease that a worker is granted now. */
  get basis(): FeedBasis {
    const { epoch, timeline, revocationSeq: seq, txid } = this.#meta
    const now = this.#freshness.now()
    const time = this.#freshness.time(now)
    const mayJudge = time.credible && this.#permit.unavailable(now) === undefined
    const { earliestMs, latestMs } = time.credible ? time : { earliestMs: 0, latestMs: 0 }
    const [leaseMs, ageMs] = mayJudge ? [this.#freshness.remainingMs(now), this.#freshness.ageMs(now)] : [0, 0]
    return { boot: this.#freshness.boot, epoch, timeline, seq, txid, leaseMs, ageMs, earliestMs, latestMs }
  }

  close(): void {
    this.#freshness.close()
  }

  get #meta(): Meta {
    const { meta } = this.tables
    assert(meta !== undefined, 'the tables were attached')
    return meta
  }

  /** Receives the primary's answer to a ping. */
  #answer(ping: FromStream): void {
    if (ping.t !== 'ping') return
    const granted = this.#options.primary.answer(this.#freshness.boot, ping)
    const { timeline, revocationSeq: seq, txid } = this.#meta
    const applied = { timeline, seq, pages: { timeline, txid } }
    this.#freshness.granted({ ...granted, leaseMs: granted.leaseMs + this.#extraMs }, applied)
  }
}
