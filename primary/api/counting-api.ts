/**
 * The call that counts the tokens that a revocation would apply to. Waiting calls share one walk over the records of mints. A
 * revocation itself does not count tokens, so it never waits for a walk.
 */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { type Kid, kid as asKid } from '../../shared/ids.ts'
import { COUNTS_WAITING_MAX, RETRY_AFTER_MS } from '../../shared/limits.ts'
import { params } from '../../shared/protocol/params.ts'
import { countTokensParams, type TokensCounted } from '../../shared/protocol/revoke.ts'
import type { AuthorityState } from '../authority/state.ts'
import type { IssuedCounter, CountQuery } from '../store/issued-counter.ts'
import { requireKeyOf, requireOrg } from './permissions.ts'
import { callerGone, type Walker, type Walks } from './walks.ts'

export interface CountingOptions {
  readonly state: () => AuthorityState
  readonly counter: IssuedCounter
  readonly walks: Walks
  readonly clock: Pick<Clock, 'wallMs'>
}

interface WaitingCount {
  readonly wanted: () => CountQuery
  readonly signal: AbortSignal
  readonly resolve: (counted: TokensCounted) => void
  readonly reject: (error: unknown) => void
}

export class CountingApi {
  readonly #options: CountingOptions
  /** Calls that the next walk answers. */
  #waiting: WaitingCount[] = []

  constructor(options: CountingOptions) {
    this.#options = options
  }

  /** Throws permission_denied, key_unknown, overloaded, closed. */
  async count(peer: KnownPeer, value: unknown, { signal }: Pick<Walker, 'signal'>): Promise<TokensCounted> {
    const { org, kid, subject, untilMs } = params(countTokensParams, value)
    const { keys } = this.#options.state()
    requireOrg(peer, org)
    if (kid !== undefined) requireKeyOf(peer, asKid(kid), keys)
    if (this.#waiting.length >= COUNTS_WAITING_MAX) throw overloaded()
    const wanted = (): CountQuery => ({
      kids: kid === undefined ? this.#kidsOf(org) : new Set([asKid(kid)]),
      subject,
      untilMs,
    })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ wanted, signal, resolve, reject })
      if (this.#waiting.length === 1) void this.#walkLater()
    })
  }

  /** Never rejects. When its turn comes, the walk answers every call that waits then. */
  async #walkLater(): Promise<void> {
    const neverAborted = new AbortController()
    let all: readonly WaitingCount[] = []
    try {
      await this.#options.walks.run({ peerId: 'counts', signal: neverAborted.signal }, async () => {
        all = this.#waiting
        this.#waiting = []
        await this.#walk(all)
      })
    } catch (error) {
      const failed = all.length > 0 ? all : this.#waiting.splice(0)
      for (const { reject } of failed) reject(error)
    }
  }

  async #walk(all: readonly WaitingCount[]): Promise<void> {
    const { counter, clock } = this.#options
    const live = all.filter(({ signal }) => !signal.aborted)
    const allGone = new AbortController()
    const abortIfAllGone = (): void => {
      if (live.every(({ signal }) => signal.aborted)) allGone.abort()
    }
    abortIfAllGone()
    for (const { signal } of live) signal.addEventListener('abort', abortIfAllGone)
    const wanted = live.map((one) => one.wanted())
    const counted = allGone.signal.aborted ? undefined : await counter.count(wanted, clock.wallMs(), allGone.signal)
    for (const { signal } of live) signal.removeEventListener('abort', abortIfAllGone)
    for (const { reject } of counted === undefined ? all : all.filter((one) => !live.includes(one)))
      reject(callerGone())
    for (const [index, one] of (counted ?? []).entries()) live[index]?.resolve(one)
  }

  #kidsOf(org: string): ReadonlySet<Kid> {
    const keys = [...this.#options.state().keys.values()]
    return new Set(keys.filter((key) => key.org === org).map(({ kid }) => kid))
  }
}

function overloaded(): MacaroondError {
  return new MacaroondError('overloaded', 'too many calls wait for a count of tokens', {
    hint: 'try again in a second; a revocation does not need the count',
    retryAfterMs: RETRY_AFTER_MS,
  })
}
