/** Signs the primary's position. A signature costs more than a commit, so each is reused for up to `SIGN_EVERY_MS`. */
import type { Clock } from '../../shared/clock.ts'
import type { Ed25519PrivateKey } from '../../shared/crypto.ts'
import { samePosition } from '../../shared/position.ts'
import { signPosition, type ProvenPosition, type SignedPosition } from '../../shared/protocol/signed-position.ts'

export interface PositionSignerOptions {
  readonly cluster: string
  readonly key: Ed25519PrivateKey
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly present: () => ProvenPosition
}

/** While writes continue, a signed position is at most this old. */
export const SIGN_EVERY_MS = 50

interface Signed {
  readonly present: ProvenPosition
  readonly atMs: number
  readonly signed: SignedPosition
}

export class PositionSigner {
  readonly #options: PositionSignerOptions
  #last: Signed | undefined

  constructor(options: PositionSignerOptions) {
    this.#options = options
  }

  /** A signed position at most `ageMsMax` old, or older if nothing was written since. */
  current(ageMsMax: number = SIGN_EVERY_MS): SignedPosition {
    const { cluster, key, clock, present } = this.#options
    const now = present()
    const atMs = clock.monotonicMs()
    const last = this.#last
    if (last !== undefined && (samePosition(last.present.position, now.position) || atMs - last.atMs < ageMsMax)) {
      return last.signed
    }
    const signed = signPosition(key, cluster, now)
    this.#last = { present: now, atMs, signed }
    return signed
  }
}
