/**
 * The ledger of a run: every acknowledged write, and every (txid, checksum) that a node stated. The disks are checked against
 * it.
 */
import { checksumText } from '../../shared/ids.ts'
import { comparePositions, parsePosition, type Position } from '../../shared/position.ts'

export interface KnownToken {
  readonly token: string
  readonly id: string
  readonly position: string
  /** Set when a revocation was asked for: from then on a refusal may come. */
  revocationSent: boolean
  /** Set when one was acknowledged as durable: from then on it must be refused. */
  revoked: boolean
}

export class Ledger {
  readonly orgs: string[] = []
  readonly tokens: KnownToken[] = []
  readonly revoked: KnownToken[] = []
  /** Calls whose answer did not come, or said that it is not known: allowed to have happened or not. */
  indeterminate = 0
  verified = 0
  refusedAsRevoked = 0
  unavailable = 0
  readonly #checksums = new Map<number, { readonly checksum: string; readonly source: string }>()
  #newest: Position | undefined

  /** Highest acknowledged position. */
  get newest(): Position | undefined {
    return this.#newest
  }

  get positions(): number {
    return this.#checksums.size
  }

  acknowledged(positionText: string): void {
    const position = parsePosition(positionText)
    this.stated(position, 'an answer')
    if (this.#newest === undefined || comparePositions(position, this.#newest) > 0) this.#newest = position
  }

  /** Throws when somebody stated another checksum for this transaction: the history has forked. */
  stated({ txid, checksum }: Pick<Position, 'txid' | 'checksum'>, source: string): void {
    const text = checksumText(checksum)
    const known = this.#checksums.get(txid)
    if (known === undefined) this.#checksums.set(txid, { checksum: text, source })
    else if (known.checksum !== text) {
      throw new Error(`transaction ${txid} forked: ${known.source} has ${known.checksum}, ${source} has ${text}`)
    }
  }
}
