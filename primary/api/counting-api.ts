/**
 * The call that counts the tokens a revocation would apply to. Calls that wait share one walk over the records. Revoking itself
 * never counts, so it never waits for this.
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
import { gone, type Walker, type Walks } from './walks.ts'

export interface CountingOptions {
  readonly state: () => AuthorityState
  readonly onRecord: IssuedCounter
  readonly walks: Walks
  readonly clock: Pick<Clock, 'wallMs'>
}

interface Asked {
  readonly wanted: () => CountQuery
  readonly signal: AbortSignal
  readonly resolve: (counted: TokensCounted) => void
  readonly reject: (error: unknown) => void
}

export class CountingApi {
  readonly #options: CountingOptions
  /** Calls that the next walk answers. */
  #waiting: Asked[] = []

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

  /** Never rejects. The walk answers every call that waits when its turn comes. */
  async #walkLater(): Promise<void> {
    const forgotten = new AbortController()
    let all: readonly Asked[] = []
    try {
      await this.#options.walks.run({ peerId: 'counts', signal: forgotten.signal }, async () => {
        all = this.#waiting
        this.#waiting = []
        await this.#walk(all)
      })
    } catch (error) {
      const failed = all.length > 0 ? all : this.#waiting.splice(0)
      for (const { reject } of failed) reject(error)
    }
  }

  async #walk(all: readonly Asked[]): Promise<void> {
    const { onRecord, clock } = this.#options
    const asked = all.filter(({ signal }) => !signal.aborted)
    const over = new AbortController()
    const look = (): void => {
      if (asked.every(({ signal }) => signal.aborted)) over.abort()
    }
    look()
    for (const { signal } of asked) signal.addEventListener('abort', look)
    const wanted = asked.map((one) => one.wanted())
    const counted = over.signal.aborted ? undefined : await onRecord.count(wanted, clock.wallMs(), over.signal)
    for (const { signal } of asked) signal.removeEventListener('abort', look)
    for (const { reject } of counted === undefined ? all : all.filter((one) => !asked.includes(one))) reject(gone())
    for (const [index, one] of (counted ?? []).entries()) asked[index]?.resolve(one)
  }

  #kidsOf(org: string): ReadonlySet<Kid> {
    const keys = [...this.#options.state().keys.values()]
    return new Set(keys.filter((key) => key.org === org).map(({ kid }) => kid))
  }
}

function overloaded(): MacaroondError {
  return new MacaroondError('overloaded', 'too many calls wait for a count of tokens', {
    hint: 'try again in a second; revoking does not need it',
    retryAfterMs: RETRY_AFTER_MS,
  })
}
