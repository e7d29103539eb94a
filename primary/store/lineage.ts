/**
 * Reads the ancestors of a service token from the record of its exchange, for display. A verification reads them from the
 * token itself.
 */
import { KID_BYTES, type Kid, type Nonce, NONCE_BYTES } from '../../shared/ids.ts'
import { ByNonce } from './by-nonce.ts'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'

interface Columns {
  readonly kid: Buffer
  readonly nonce: Buffer
  readonly ancestors: Buffer
}

const NAME_BYTES: number = KID_BYTES + NONCE_BYTES

export class Lineage {
  readonly #rows: ByNonce<Columns>

  constructor(db: Database) {
    this.#rows = new ByNonce(db, 'service_tokens')
  }

  /** Nearest first. Empty for a minted token, and for a token without a record. */
  ancestorsOf(kid: Kid, nonce: Nonce): readonly TokenReference[] {
    const { ancestors } = this.#rows.find(kid, nonce) ?? { ancestors: Buffer.alloc(0) }
    return Array.from({ length: ancestors.length / NAME_BYTES }, (_, index) => {
      const name = ancestors.toString('hex', index * NAME_BYTES, (index + 1) * NAME_BYTES)
      return { kid: name.slice(0, 2 * KID_BYTES) as Kid, nonce: name.slice(2 * KID_BYTES) as Nonce }
    })
  }
}
