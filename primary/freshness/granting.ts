/**
 * Answers the replicas' pings with leases of freshness. What is granted is in the book before the answer goes out. No lease
 * is given while this primary's own position is not confirmed: its disk may be old, and lack revocations.
 */
import type { Entropy, NodeClock } from '../../shared/clock.ts'
import { newBootId } from '../../shared/freshness/boot-id.ts'
import { LEASE_HOPS, revocationBoundMs, type FreshnessSettings } from '../../shared/freshness/bound.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import {
  hearTime,
  judgeTime,
  startTime,
  type JudgedTime,
  type TimeState,
} from '../../shared/freshness/credible-time.ts'
import { GrantBook } from '../../shared/freshness/grant-book.ts'
import type { HolderName } from '../../shared/freshness/grants.ts'
import type { Timeline } from '../../shared/ids.ts'
import { LEASE_HOLDERS_MAX } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { FromStream, Granted, RevocationsWelcome } from '../../shared/protocol/revocations.ts'
import type { SignedPosition } from '../../shared/protocol/signed-position.ts'
import {
  type AuthorityMoment,
  type AuthorityTime,
  momentOf,
  startAuthorityTime,
  stepAuthorityTime,
} from './authority-time.ts'

export interface GrantingOptions {
  readonly settings: FreshnessSettings
  readonly clock: NodeClock
  readonly entropy: Entropy
  /** The longest lease that this authority has written down: no longer one is granted. */
  readonly leaseMsMax: () => number
  /** A time that had come when this authority last minted. */
  readonly issueClockMs: number
  readonly acceptClock: boolean
  /** Whether replicas are configured, whose pings say what time it is elsewhere. */
  readonly hasReplicas: boolean
  /** Whether leases may be given now. */
  readonly open: () => boolean
}

/** Where the primary stands when it answers. */
export interface GrantedState {
  readonly head: Position
  readonly timeline: Timeline
  readonly seq: number
  readonly signed: SignedPosition
}

type Ping = Extract<FromStream, { t: 'ping' }>

export class Granting {
  /** Names this process. */
  readonly boot: string
  readonly book: GrantBook
  readonly #options: GrantingOptions
  readonly #reader: ClockReader
  #time: TimeState
  #authorityTime: AuthorityTime

  constructor(options: GrantingOptions) {
    const { settings, clock, entropy, issueClockMs, acceptClock, hasReplicas } = options
    this.#options = options
    this.boot = newBootId(entropy)
    this.#reader = new ClockReader(clock)
    const now = this.#reader.read()
    this.#authorityTime = startAuthorityTime(now, issueClockMs)
    this.#time = startTime(now, {
      persistedMs: issueClockMs,
      accepted: acceptClock,
      witnessed: hasReplicas,
    })
    this.book = new GrantBook({
      clock,
      earlierLeaseMs: options.leaseMsMax(),
      clockRateError: settings.clock_rate_error,
      hops: LEASE_HOPS,
      holdersMax: LEASE_HOLDERS_MAX,
    })
  }

  get boundMs(): number {
    return revocationBoundMs(this.#options.settings)
  }

  /** Whether this node knows what time it is. */
  get time(): JudgedTime {
    return judgeTime(this.#time, this.#reader.read())
  }

  /** What a decision of the authority is stamped with, and judged by. */
  get moment(): AuthorityMoment {
    const now = this.#reader.read()
    const time = judgeTime(this.#time, now)
    this.#authorityTime = stepAuthorityTime(this.#authorityTime, time, now)
    return momentOf(this.#authorityTime, time, now)
  }

  welcome(): Pick<RevocationsWelcome, 'boot' | 'pingMs' | 'boundMs' | 'clockRateError'> {
    const { ping_ms, clock_rate_error } = this.#options.settings
    return { boot: this.boot, pingMs: ping_ms, boundMs: this.boundMs, clockRateError: clock_rate_error }
  }

  /** Records the lease, then hands out the answer that gives it. */
  answer(holder: HolderName, { id, wallMs }: Ping, { head, timeline, seq, signed }: GrantedState): Granted {
    const now = this.#reader.read()
    // When the ping was sent nobody knows here; a peer's clock counts only as far as it agrees with ours.
    this.#time = hearTime(this.#time, holder.peer, { wallMs, believedMs: undefined }, { sent: now, received: now })
    const time = judgeTime(this.#time, now)
    const { epoch, txid } = head
    return {
      t: 'granted',
      id,
      epoch,
      timeline,
      seq,
      txid,
      signed,
      boot: this.boot,
      leaseMs: this.#lease(holder, { epoch, seq }),
      wallMs: now.wallMs,
      believedMs: time.credible ? time.latestMs : 0,
    }
  }

  close(): void {
    this.book.close()
    this.#reader.close()
  }

  #lease(holder: HolderName, mark: { readonly epoch: number; readonly seq: number }): number {
    const { settings, leaseMsMax, open } = this.#options
    const leaseMs = Math.min(settings.lease_ms, leaseMsMax())
    if (leaseMs <= 0 || !open()) return 0
    return this.book.grant(holder, { mark, leaseMs }) ? leaseMs : 0
  }
}
