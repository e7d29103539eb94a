/**
 * Decides whether this replica may judge now: it needs data, tables that it understands, a running lease of freshness, and a
 * credible time. It also makes the context that caveats are cleared in.
 */
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import type { Context } from '../../shared/verifier/access.ts'
import { refused, type Refused } from '../../shared/verifier/verdict.ts'
import type { Freshness } from '../freshness/freshness.ts'
import type { Tables } from '../tables/tables.ts'

export interface JudgingPermitOptions {
  readonly region: string
  readonly tables: Pick<Tables, 'meta' | 'uninterpretable'>
  readonly freshness: Pick<Freshness, 'now' | 'remainingMs' | 'ageMs' | 'time'>
}

export class JudgingPermit {
  readonly #options: JudgingPermitOptions

  constructor(options: JudgingPermitOptions) {
    this.#options = options
  }

  /** The verdict `unavailable` if no token can be judged now; undefined if this replica may judge. */
  unavailable(now: ClockReading): Refused | undefined {
    const { meta, uninterpretable } = this.#options.tables
    if (meta === undefined) return refused('unavailable', 'this replica has no data yet')
    if (uninterpretable !== undefined) return refused('unavailable', uninterpretable)
    return this.withoutLease(now) ?? this.#withoutTime(now)
  }

  withoutLease(now: ClockReading = this.#options.freshness.now()): Refused | undefined {
    if (this.#options.freshness.remainingMs(now) > 0) return undefined
    return refused('unavailable', 'this replica’s lease of freshness has run out: it may lack revocations')
  }

  /** The context for caveats. Without a credible time it has the wall clock's time, for an explanation only. */
  context(now: ClockReading, peer: string | undefined): Context {
    const { region, freshness } = this.#options
    const time = freshness.time(now)
    const { earliestMs: nowEarliestMs, latestMs: nowLatestMs } = time.credible
      ? time
      : { earliestMs: now.wallMs, latestMs: now.wallMs }
    const stalenessMs = freshness.ageMs(now)
    return {
      nowEarliestMs,
      nowLatestMs,
      region,
      ...(stalenessMs === Infinity ? {} : { stalenessMs }),
      ...(peer === undefined ? {} : { peer }),
    }
  }

  #withoutTime(now: ClockReading): Refused | undefined {
    const time = this.#options.freshness.time(now)
    return time.credible ? undefined : refused('unavailable', `this replica does not know the time: ${time.message}`)
  }
}
