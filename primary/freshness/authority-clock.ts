/**
 * The authority's clock. It tracks the time that this primary believes, and the authority's time, which stamps its decisions.
 * If the wall clock jumps, it is in doubt until peers confirm it or it returns to the expected time. The authority's time
 * never goes back.
 */
import type { NodeClock } from '../../shared/clock.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import {
  recordStatedTime,
  judgeTime,
  initialTime,
  type JudgedTime,
  type TimeState,
} from '../../shared/freshness/credible-time.ts'
import {
  type AuthorityMoment,
  type AuthorityTime,
  momentOf,
  startAuthorityTime,
  stepAuthorityTime,
} from './authority-time.ts'

export interface AuthorityClockOptions {
  readonly clock: NodeClock
  /** The persisted issue clock: the latest time that the authority ever stamped. */
  readonly issueClockMs: number
  /** True if the operator has confirmed that the clock is right. */
  readonly acceptClock: boolean
  /** True if replicas are configured: their pings carry the time of other machines. */
  readonly hasReplicas: boolean
}

export class AuthorityClock {
  readonly #reader: ClockReader
  #time: TimeState
  #authorityTime: AuthorityTime

  constructor({ clock, issueClockMs, acceptClock, hasReplicas }: AuthorityClockOptions) {
    this.#reader = new ClockReader(clock)
    const now = this.#reader.read()
    this.#authorityTime = startAuthorityTime(now, issueClockMs)
    this.#time = initialTime(now, {
      persistedMs: issueClockMs,
      accepted: acceptClock,
      witnessed: hasReplicas,
    })
  }

  now(): ClockReading {
    return this.#reader.read()
  }

  /** The bounds of the present time if the clock is credible, otherwise the reason why not. */
  get time(): JudgedTime {
    return this.timeAt(this.#reader.read())
  }

  timeAt(now: ClockReading): JudgedTime {
    return judgeTime(this.#time, now)
  }

  /** The times for one decision: its stamp, and the bounds to judge by. */
  get moment(): AuthorityMoment {
    const now = this.#reader.read()
    const time = this.timeAt(now)
    this.#authorityTime = stepAuthorityTime(this.#authorityTime, time, now)
    return momentOf(this.#authorityTime, time, now)
  }

  /** Notes the wall clock that a peer's message carries. It can confirm our clock, and it never sets it. */
  hear(peer: string, wallMs: number, received: ClockReading): void {
    // The time of sending is unknown here, so the time of receipt is used for both.
    this.#time = recordStatedTime(this.#time, peer, { wallMs, believedMs: undefined }, { sent: received, received })
  }

  close(): void {
    this.#reader.close()
  }
}
