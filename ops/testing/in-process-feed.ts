/** The feed of a verifier's cache without a connection. It speaks the messages of a replica's feed to the cache. */
import type { VerifierFeed, VerifierFeedOptions } from '../../replica/worker/links.ts'
import { assert } from '../../shared/errors.ts'
import type { FeedGranted } from '../../shared/protocol/feed.ts'
import { REVOCATIONS_A_MESSAGE } from '../../shared/protocol/stretch.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'

/** The replica's state, and the lease that it grants now. */
export type FeedBasis = Omit<FeedGranted, 't' | 'id'>

export interface InProcessFeedOptions {
  readonly peerId: string
  readonly region: string
  readonly basis: () => FeedBasis
  /** Revocations with a higher number, in order. */
  readonly rowsAfter: (seq: number, limit: number) => readonly RevocationRow[]
}

export class InProcessFeed implements VerifierFeed {
  readonly error: undefined
  readonly #feeding: VerifierFeedOptions
  readonly #options: InProcessFeedOptions
  #connected = false
  #seq = 0

  constructor(feeding: VerifierFeedOptions, options: InProcessFeedOptions) {
    this.#feeding = feeding
    this.#options = options
  }

  get connected(): string | undefined {
    return this.#connected ? this.#options.peerId : undefined
  }

  refusalOf(): undefined {
    return undefined
  }

  /** Connects, and requests the first lease. */
  begin(): void {
    const { peerId: peer, region, basis } = this.#options
    const { boot, epoch, timeline, seq } = basis()
    const { cache, onChange } = this.#feeding
    cache.step({ kind: 'connected', peer, boot, region })
    cache.step({ kind: 'received', message: { t: 'begin', epoch, timeline, seq } })
    this.#seq = seq
    this.#connected = true
    onChange?.()
    this.renew()
  }

  /** Sends new revocations, then requests a lease. The cache notices here that the last one has ended. */
  renew(): void {
    if (!this.#connected) return
    this.#push()
    const { cache } = this.#feeding
    for (const effect of cache.step({ kind: 'pinged' })) {
      assert(effect.kind !== 'leave', 'the cache follows the only replica')
      if (effect.kind !== 'send' || effect.message.t !== 'ping') continue
      const { id } = effect.message
      cache.step({ kind: 'received', message: { t: 'granted', id, ...this.#options.basis() } })
    }
  }

  async close(): Promise<void> {
    this.#connected = false
  }

  #push(): void {
    const rows = this.#options.rowsAfter(this.#seq, REVOCATIONS_A_MESSAGE)
    const last = rows.at(-1)
    if (last === undefined) return
    const message = { t: 'revoked', after: this.#seq, rows, through: last.seq } as const
    this.#feeding.cache.step({ kind: 'received', message })
    this.#seq = last.seq
    this.#push()
  }
}
