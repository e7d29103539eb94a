/**
 * The lease of freshness and the believed time of this replica. This is the shell around the pure cores `holder.ts` and
 * `credible-time.ts`: it sends pings, passes answers to the cores, and reads the clocks. Without a running lease or a credible
 * time, every verdict of this replica is `unavailable`.
 */
import type { CallOff, Entropy, NodeClock } from '../../shared/clock.ts'
import { newBootId } from '../../shared/freshness/boot-id.ts'
import { FRESHNESS_DEFAULTS } from '../../shared/freshness/bound.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import {
  recordStatedTime,
  raiseToIssueClock,
  judgeTime,
  initialTime,
  type JudgedTime,
  type TimeState,
} from '../../shared/freshness/credible-time.ts'
import { DeletionClock } from '../../shared/deletion-clock.ts'
import { GrantBook } from '../../shared/freshness/grant-book.ts'
import {
  ageMs,
  remainingMs,
  startHolder,
  stepHolder,
  type Applied,
  type HolderEvent,
  type HolderState,
} from '../../shared/freshness/holder.ts'
import {
  CLOCK_RATE_ERROR_MAX,
  LEASE_HOLDERS_MAX,
  PING_INTERVAL_MS_MIN,
  WORKER_BOOTS_PER_PEER_MAX,
} from '../../shared/limits.ts'
import type { Log } from '../../shared/log.ts'
import type { FromStream, Granted, RevocationsWelcome } from '../../shared/protocol/revocations.ts'
import type { SignedPosition } from '../../shared/protocol/signed-position.ts'
import type { LargestLease } from './largest-lease.ts'

export interface FreshnessOptions {
  readonly clock: NodeClock
  readonly entropy: Entropy
  readonly log: Log
  readonly largestLease: Pick<LargestLease, 'leaseMs' | 'raise'>
  /** The issue clock of the applied pages, a lower bound of the present time, unix milliseconds. Undefined without pages. */
  readonly issueClockMs: () => number | undefined
  readonly acceptClock: boolean
  /** Called with the signed position in every answer. */
  readonly onSigned: (signed: SignedPosition) => void
  /** Called when the lease was renewed. A verification that waits for a fresher state checks again then. */
  readonly onRenewed: () => void
}

/** The pause before the next ping while the primary gives no lease. */
const WITHHELD_MS = 50

export class Freshness {
  /** Names this process. */
  readonly boot: string
  /** The leases of this replica's workers. After a start, the book assumes that leases of an earlier process still run. */
  readonly workers: GrantBook
  readonly #options: FreshnessOptions
  readonly #reader: ClockReader
  readonly #deletionClock: DeletionClock
  #holder: HolderState = startHolder({ needsPages: true })
  #time: TimeState
  #send: ((ping: FromStream) => void) | undefined
  #stopPinging: CallOff | undefined
  #boundMs: number | undefined
  #pingMs: number = FRESHNESS_DEFAULTS.ping_ms
  #isWithoutLease = true

  constructor(options: FreshnessOptions) {
    const { clock, entropy, largestLease, issueClockMs, acceptClock } = options
    this.#options = options
    this.boot = newBootId(entropy)
    this.#reader = new ClockReader(clock)
    this.#deletionClock = new DeletionClock(clock)
    this.#deletionClock.startFrom(issueClockMs())
    this.#time = initialTime(this.#reader.read(), { persistedMs: issueClockMs(), accepted: acceptClock })
    this.workers = new GrantBook({
      clock,
      earlierLeaseMs: largestLease.leaseMs,
      clockRateError: CLOCK_RATE_ERROR_MAX,
      hops: 1,
      holdersMax: LEASE_HOLDERS_MAX,
      bootsPerPeerMax: WORKER_BOOTS_PER_PEER_MAX,
    })
  }

  /** The published bound in milliseconds, as the primary states it. */
  get boundMs(): number | undefined {
    return this.#boundMs
  }

  /** The interval of pings in milliseconds, as the primary states it. */
  get pingMs(): number {
    return this.#pingMs
  }

  now(): ClockReading {
    return this.#reader.read()
  }

  /** The remaining time of the lease in milliseconds; 0 without a lease. */
  remainingMs(now: ClockReading): number {
    return remainingMs(this.#holder, now)
  }

  /** Age in milliseconds of the state that tokens are judged by; Infinity before the first answer. */
  ageMs(now: ClockReading): number {
    return ageMs(this.#holder, now)
  }

  time(now: ClockReading): JudgedTime {
    return judgeTime(this.#time, now)
  }

  /**
   * The time by which this replica deletes revocations, unix milliseconds; 0 while its time is in doubt. The issue clock, which
   * raises the latest believed time, does not raise this one.
   */
  deletionMs(): number {
    return this.time(this.now()).credible ? this.#deletionClock.nowMs() : 0
  }

  /** Starts pinging on a new connection, with the first ping at once. */
  connected({ boot, pingMs, boundMs }: RevocationsWelcome, send: (ping: FromStream) => void): void {
    if (boundMs !== this.#boundMs)
      this.#options.log.info({ boundMs }, 'the primary has stated the bound within which a revocation binds')
    this.#boundMs = boundMs
    this.#pingMs = pingMs
    this.#step({ kind: 'connected', grantor: boot })
    this.#send = send
    this.#ping()
    this.#stopPinging = this.#options.clock.every(pingMs, () => this.#tick())
  }

  disconnected(): void {
    this.#stopPinging?.()
    this.#send = undefined
    this.#step({ kind: 'disconnected' })
  }

  /** Takes the primary's answer to a ping. Throws disk_full, io_failed; then the answer gives no lease. */
  granted(message: Granted, applied: Applied): void {
    const { largestLease, onSigned, clock } = this.#options
    largestLease.raise(message.leaseMs)
    onSigned(message.signed)
    this.#hear(message)
    this.#step({ kind: 'granted', grant: message, applied })
    if (message.leaseMs === 0) clock.after(WITHHELD_MS, () => this.#ping(), { background: true })
  }

  /** To be called when rows or pages were applied: a lease may wait for them. */
  applied(applied: Applied): void {
    if (this.#holder.pending.length > 0) this.#step({ kind: 'applied', applied })
  }

  /** Pings now, unless a ping was sent within PING_INTERVAL_MS_MIN. */
  freshen(): void {
    const last = this.#holder.inFlight.at(-1)
    const askedMs = last === undefined ? Infinity : this.#reader.read().monotonicMs - last.sent.monotonicMs
    if (askedMs >= PING_INTERVAL_MS_MIN) this.#ping()
  }

  close(): void {
    this.#stopPinging?.()
    this.#send = undefined
    this.workers.close()
    this.#reader.close()
  }

  #step(event: HolderEvent): void {
    const before = this.#holder.lease
    this.#holder = stepHolder(this.#holder, event, this.#reader.read())
    if (this.#holder.lease === before || this.#holder.lease === undefined) return
    if (this.#isWithoutLease) this.#options.log.info('this replica holds a lease of freshness')
    this.#isWithoutLease = false
    this.#options.onRenewed()
  }

  /** Takes the primary's time. Its error is at most the time between ping and answer, measured by the local clocks. */
  #hear({ id, wallMs, believedMs }: Granted): void {
    const ping = this.#holder.inFlight.find((other) => other.id === id)
    if (ping === undefined) return
    const stated = { wallMs, believedMs: believedMs === 0 ? undefined : believedMs }
    const received = this.#reader.read()
    const reached = raiseToIssueClock(this.#time, this.#options.issueClockMs() ?? 0, received)
    this.#time = recordStatedTime(reached, 'primary', stated, { sent: ping.sent, received })
  }

  #tick(): void {
    this.#ping()
    if (this.#isWithoutLease || this.remainingMs(this.#reader.read()) > 0) return
    this.#isWithoutLease = true
    this.#options.log.warn('the lease of freshness has run out: every verdict is unavailable until the primary answers')
  }

  /** Sends a ping. The lease counts from the reading that is taken here, before the ping is sent. */
  #ping(): void {
    const id = this.#holder.nextId
    if (this.#send === undefined) return
    this.#step({ kind: 'pinged' })
    this.#send({ t: 'ping', id, wallMs: this.#reader.read().wallMs })
  }
}
