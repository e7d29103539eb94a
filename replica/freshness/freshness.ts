/**
 * How fresh this replica is, and what time it believes it is: the shell of the holder's core. Without a lease that runs, and
 * without a credible time, every verdict here is `unavailable`.
 */
import type { CallOff, Entropy, NodeClock } from '../../shared/clock.ts'
import { newBootId } from '../../shared/freshness/boot-id.ts'
import { FRESHNESS_DEFAULTS } from '../../shared/freshness/bound.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import {
  hearTime,
  reachIssued,
  judgeTime,
  startTime,
  type JudgedTime,
  type TimeState,
} from '../../shared/freshness/credible-time.ts'
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
  readonly largestLease: LargestLease
  /** The issue clock of the applied pages: a time that has come. Undefined without pages. */
  readonly issueClockMs: () => number | undefined
  readonly acceptClock: boolean
  /** The proof that comes with every answer. */
  readonly onSigned: (signed: SignedPosition) => void
  /** A newer answer counts: whoever waits for a fresher state looks again. */
  readonly onRenewed: () => void
}

/** Asks again after this long while the primary gives no lease. */
const WITHHELD_MS = 50

export class Freshness {
  /** Names this process. */
  readonly boot: string
  /** The leases of this replica's workers; those that an earlier process granted may still run after a start. */
  readonly workers: GrantBook
  readonly #options: FreshnessOptions
  readonly #reader: ClockReader
  #holder: HolderState = startHolder({ needsPages: true })
  #time: TimeState
  #send: ((ping: FromStream) => void) | undefined
  #stopPinging: CallOff | undefined
  #boundMs: number | undefined
  #pingMs: number = FRESHNESS_DEFAULTS.ping_ms
  #lost = true

  constructor(options: FreshnessOptions) {
    const { clock, entropy, largestLease, issueClockMs, acceptClock } = options
    this.#options = options
    this.boot = newBootId(entropy)
    this.#reader = new ClockReader(clock)
    this.#time = startTime(this.#reader.read(), { persistedMs: issueClockMs(), accepted: acceptClock })
    this.workers = new GrantBook({
      clock,
      earlierLeaseMs: largestLease.leaseMs,
      clockRateError: CLOCK_RATE_ERROR_MAX,
      hops: 1,
      holdersMax: LEASE_HOLDERS_MAX,
      bootsPerPeerMax: WORKER_BOOTS_PER_PEER_MAX,
    })
  }

  /** The published bound, as the primary states it. */
  get boundMs(): number | undefined {
    return this.#boundMs
  }

  /** How often leases are asked for, as the primary states it. */
  get pingMs(): number {
    return this.#pingMs
  }

  now(): ClockReading {
    return this.#reader.read()
  }

  /** What is left of the lease, in milliseconds; 0 when there is none. */
  remainingMs(now: ClockReading): number {
    return remainingMs(this.#holder, now)
  }

  /** Age of the state that is judged by; Infinity before the first answer. */
  ageMs(now: ClockReading): number {
    return ageMs(this.#holder, now)
  }

  time(now: ClockReading): JudgedTime {
    return judgeTime(this.#time, now)
  }

  /** Pings from now on, the first one at once. */
  connected({ boot, pingMs, boundMs }: RevocationsWelcome, send: (ping: FromStream) => void): void {
    if (boundMs !== this.#boundMs) this.#options.log.info({ boundMs }, 'revocations bind here within this bound')
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

  /** The primary's answer to a ping, and what is applied here. Throws disk_full, io_failed, and then gives no lease. */
  granted(message: Granted, applied: Applied): void {
    const { largestLease, onSigned, clock } = this.#options
    largestLease.raise(message.leaseMs)
    onSigned(message.signed)
    this.#hear(message)
    this.#step({ kind: 'granted', grant: message, applied })
    if (message.leaseMs === 0) clock.after(WITHHELD_MS, () => this.#ping(), { background: true })
  }

  /** Rows or pages were applied. */
  applied(applied: Applied): void {
    if (this.#holder.pending.length > 0) this.#step({ kind: 'applied', applied })
  }

  /** Asks for a fresher state now, unless that was asked for a moment ago. */
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
    if (this.#lost) this.#options.log.info('this replica holds a lease of freshness')
    this.#lost = false
    this.#options.onRenewed()
  }

  /** By the time between ping and answer: its own clocks say how long ago the primary said so. */
  #hear({ id, wallMs, believedMs }: Granted): void {
    const ping = this.#holder.inFlight.find((other) => other.id === id)
    if (ping === undefined) return
    const stated = { wallMs, believedMs: believedMs === 0 ? undefined : believedMs }
    const received = this.#reader.read()
    const reached = reachIssued(this.#time, this.#options.issueClockMs() ?? 0, received)
    this.#time = hearTime(reached, 'primary', stated, { sent: ping.sent, received })
  }

  #tick(): void {
    this.#ping()
    if (this.#lost || this.remainingMs(this.#reader.read()) > 0) return
    this.#lost = true
    this.#options.log.warn('the lease of freshness has run out: every verdict is unavailable until the primary answers')
  }

  /** The time is taken before it is sent. */
  #ping(): void {
    const id = this.#holder.nextId
    if (this.#send === undefined) return
    this.#step({ kind: 'pinged' })
    this.#send({ t: 'ping', id, wallMs: this.#reader.read().wallMs })
  }
}
