/** Reads the records of mints: the subject and expiry of each token this authority issued. Verification never needs them. */
import type { Kid, Nonce } from '../../shared/ids.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { ByNonce } from './by-nonce.ts'

export interface IssuedRecord {
  readonly kid: string
  readonly subject: string
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number
}

interface Columns {
  readonly kid: Buffer
  readonly nonce: Buffer
  readonly subject: string
  readonly expires_at: number
}

export class IssuedLog {
  readonly #rows: ByNonce<Columns>

  constructor(db: Database) {
    this.#rows = new ByNonce(db, 'issued')
  }

  /** Undefined if the mint is not on record, for example because a restore lost it. */
  find(kid: Kid, nonce: Nonce): IssuedRecord | undefined {
    const row = this.#rows.find(kid, nonce)
    return row === undefined ? undefined : { kid, subject: row.subject, expiresAt: row.expires_at }
  }
}
