/**
 * The authority's clock: what time this primary believes it is, and the time that its decisions are stamped with. A clock that
 * jumps is not believed before peers agree with it or it comes back; the authority's time never goes back.
 */
import type { NodeClock } from '../../shared/clock.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import {
  hearTime,
  judgeTime,
  startTime,
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
  /** A time that had come when this authority last minted. */
  readonly issueClockMs: number
  /** The operator's word that the clock is right. */
  readonly acceptClock: boolean
  /** Whether replicas are configured, whose pings say what time it is elsewhere. */
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
    this.#time = startTime(now, {
      persistedMs: issueClockMs,
      accepted: acceptClock,
      witnessed: hasReplicas,
    })
  }

  now(): ClockReading {
    return this.#reader.read()
  }

  /** Whether this node knows what time it is. */
  get time(): JudgedTime {
    return this.timeAt(this.#reader.read())
  }

  timeAt(now: ClockReading): JudgedTime {
    return judgeTime(this.#time, now)
  }

  /** What a decision of the authority is stamped with, and judged by. */
  get moment(): AuthorityMoment {
    const now = this.#reader.read()
    const time = this.timeAt(now)
    this.#authorityTime = stepAuthorityTime(this.#authorityTime, time, now)
    return momentOf(this.#authorityTime, time, now)
  }

  /** A peer's wall clock, as it was when its message came. It counts only as far as it agrees with ours. */
  hear(peer: string, wallMs: number, received: ClockReading): void {
    // When the message was sent is not known here.
    this.#time = hearTime(this.#time, peer, { wallMs, believedMs: undefined }, { sent: received, received })
  }

  close(): void {
    this.#reader.close()
  }
}
