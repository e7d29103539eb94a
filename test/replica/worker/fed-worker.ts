/** A worker's cache, fed by hand with what a replica would say, on a clock that the test turns. */
import type { FeedEffect, FeedEvent } from '../../../replica/worker/feed-core.ts'
import {
  type AskedLease,
  type CachedVerdict,
  type CacheQuery,
  type WorkerAlarm,
  WorkerCache,
} from '../../../replica/worker/worker-cache.ts'
import type { ClockReading } from '../../../shared/freshness/clock-reading.ts'
import type { FeedGranted, ToWorker } from '../../../shared/protocol/feed.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'
import type { VerifyResult } from '../../../shared/protocol/verify.ts'
import type { Verdict } from '../../../shared/verifier/verdict.ts'
import { Node, NOW_MS } from '../../shared/verifier/fixture.ts'

export const TIMELINE: string = 'a'.repeat(32)
export const LEASE_MS = 5_000

/** What a replica says of itself. */
export interface ReplicaGreeting {
  readonly peer?: string
  readonly boot?: string
  readonly region?: string
}

export class FedWorker {
  readonly node: Node = new Node()
  readonly cache: WorkerCache
  /** Readings that come before the clock's own: a process that is stopped between two looks. */
  readonly readings: ClockReading[] = []
  /** What the connection was told to do since it was last asked. */
  readonly said: FeedEffect[] = []
  readonly alarms: WorkerAlarm[] = []
  ms = 0
  seq = 0
  #ping = 0
  #boot = bootOf('1')

  constructor() {
    const now = (): ClockReading => this.readings.shift() ?? at(this.ms)
    const onAlarm = (alarm: WorkerAlarm): void => void this.alarms.push(alarm)
    const bounds = { entries: 100, bytes: 1e6 }
    this.cache = new WorkerCache({ bounds, seed: new Uint8Array(8).fill(9), now, onAlarm })
  }

  /** Connected, begun at `seq`, with a lease. */
  static leased(grant: Partial<FeedGranted> = {}): FedWorker {
    const worker = new FedWorker()
    worker.connect()
    worker.begin()
    worker.lease(grant)
    return worker
  }

  step(event: FeedEvent): void {
    this.said.push(...this.cache.step(event))
  }

  connect({ peer = 'fra-1', boot = bootOf('1'), region = 'fra' }: ReplicaGreeting = {}): void {
    this.#boot = boot
    this.step({ kind: 'connected', peer, boot, region })
  }

  hear(message: ToWorker): void {
    this.step({ kind: 'received', message })
  }

  begin(seq: number = this.seq, epoch = 1, timeline: string = TIMELINE): void {
    this.seq = seq
    this.hear({ t: 'begin', epoch, timeline, seq })
  }

  ping(): number {
    this.step({ kind: 'pinged' })
    return ++this.#ping
  }

  grant(id: number, changes: Partial<FeedGranted> = {}): void {
    const times = { ageMs: 0, earliestMs: NOW_MS + this.ms, latestMs: NOW_MS + this.ms }
    const state = { epoch: 1, timeline: TIMELINE, seq: this.seq, txid: 70, leaseMs: LEASE_MS }
    this.hear({ t: 'granted', id, boot: this.#boot, ...state, ...times, ...changes })
  }

  lease(changes: Partial<FeedGranted> = {}): void {
    this.grant(this.ping(), changes)
  }

  /** Revokes at the replica; the row is on its way. */
  revoke(name: { readonly kid: string; readonly nonce: string }): RevocationRow {
    this.node.revocations.add(name.kid as never, name.nonce as never)
    this.seq += 1
    return { seq: this.seq, kind: 'token', kid: name.kid, nonce: name.nonce, expiresAt: 0 }
  }

  rows(...rows: RevocationRow[]): void {
    this.hear({ t: 'revoked', after: (rows[0]?.seq ?? 1) - 1, rows, through: rows.at(-1)?.seq ?? 1 })
  }

  /** What the replica answers now. */
  answer(token: string, access: object = {}): VerifyResult {
    const verdict: Verdict = this.node.judge(token, { org: 'acme', ...access }, { stalenessMs: 0 })
    return { ...verdict, node: 'fra-1', region: 'fra', pid: 1, epoch: 1, txid: 70, revocationSeq: this.seq }
  }

  asked(): AskedLease {
    return this.cache.ask()
  }

  /** Asks the replica, and takes its answer. */
  verify(token: string): boolean {
    const asked = this.asked()
    return this.cache.use(token, this.answer(token), asked)
  }

  hit(token: string, access: object = {}, query: CacheQuery = {}): CachedVerdict | undefined {
    return this.cache.judge(token, { org: 'acme', ...access }, query)
  }

  acknowledged(): number[] {
    return this.said.flatMap((effect) =>
      effect.kind === 'send' && effect.message.t === 'ack' ? [effect.message.seq] : [],
    )
  }

  left(): string[] {
    return this.said.flatMap((effect) => (effect.kind === 'leave' ? [effect.why] : []))
  }
}

export function bootOf(digit: string): string {
  return digit.repeat(32)
}

/** The worker's wall clock is an hour behind: what it believes of the time comes from its replica. */
export function at(ms: number): ClockReading {
  return { monotonicMs: ms, boottimeMs: 100 + ms, wallMs: NOW_MS - 3_600_000 + ms }
}
