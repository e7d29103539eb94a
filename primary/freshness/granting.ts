/**
 * Grants freshness leases: answers each ping of a replica. Invariant: a lease is in the grant book before its answer is sent,
 * so the primary knows which leases a revocation waits for. While this primary's position is unconfirmed it grants none,
 * because its disk may be an older copy that lacks revocations.
 */
import type { Entropy, NodeClock } from '../../shared/clock.ts'
import { newBootId } from '../../shared/freshness/boot-id.ts'
import { LEASE_HOPS, revocationBoundMs, type FreshnessSettings } from '../../shared/freshness/bound.ts'
import { GrantBook } from '../../shared/freshness/grant-book.ts'
import type { HolderName } from '../../shared/freshness/grants.ts'
import type { Timeline } from '../../shared/ids.ts'
import { LEASE_HOLDERS_MAX } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { FromStream, Granted, RevocationsWelcome } from '../../shared/protocol/revocations.ts'
import type { SignedPosition } from '../../shared/protocol/signed-position.ts'
import type { AuthorityClock } from './authority-clock.ts'

export interface GrantingOptions {
  readonly settings: FreshnessSettings
  readonly clock: NodeClock
  readonly authorityClock: Pick<AuthorityClock, 'now' | 'timeAt' | 'hear'>
  readonly entropy: Entropy
  /** The longest lease that the database allows, milliseconds. */
  readonly leaseMsMax: () => number
  /** True if a lease may be granted now. */
  readonly mayGrant: () => boolean
}

/** The primary's position at the time of an answer. */
export interface GrantedState {
  readonly head: Position
  readonly timeline: Timeline
  readonly seq: number
  readonly signed: SignedPosition
}

type Ping = Extract<FromStream, { t: 'ping' }>

export class Granting {
  /** Boot id of this process. */
  readonly boot: string
  readonly book: GrantBook
  readonly #options: GrantingOptions

  constructor(options: GrantingOptions) {
    const { settings, clock, entropy } = options
    this.#options = options
    this.boot = newBootId(entropy)
    this.book = new GrantBook({
      clock,
      earlierLeaseMs: options.leaseMsMax(),
      clockRateError: settings.clock_rate_error,
      hops: LEASE_HOPS,
      holdersMax: LEASE_HOLDERS_MAX,
    })
  }

  /** The bound B in milliseconds: the time within which a revocation binds everywhere. */
  get boundMs(): number {
    return revocationBoundMs(this.#options.settings)
  }

  welcome(): Pick<RevocationsWelcome, 'boot' | 'pingMs' | 'boundMs' | 'clockRateError'> {
    const { ping_ms, clock_rate_error } = this.#options.settings
    return { boot: this.boot, pingMs: ping_ms, boundMs: this.boundMs, clockRateError: clock_rate_error }
  }

  /** Records the lease, then returns the answer that grants it. `leaseMs` is 0 if none is granted. */
  answer(holder: HolderName, { id, wallMs }: Ping, { head, timeline, seq, signed }: GrantedState): Granted {
    const { authorityClock } = this.#options
    const now = authorityClock.now()
    authorityClock.hear(holder.peer, wallMs, now)
    const time = authorityClock.timeAt(now)
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
  }

  #lease(holder: HolderName, mark: { readonly epoch: number; readonly seq: number }): number {
    const { settings, leaseMsMax, mayGrant } = this.#options
    const leaseMs = Math.min(settings.lease_ms, leaseMsMax())
    if (leaseMs <= 0 || !mayGrant()) return 0
    return this.book.grant(holder, { mark, leaseMs }) ? leaseMs : 0
  }
}
