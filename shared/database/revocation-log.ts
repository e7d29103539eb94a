/** Reads the revocation log in order. What is sent on the stream and what a replica finds in its pages is the same rows. */
import type { Statement } from 'better-sqlite3'
import type { RevocationRow } from '../protocol/revocations.ts'
import type { Connection } from '../sqlite/connection.ts'

interface Columns {
  readonly seq: number
  readonly kind: string
  readonly key: Buffer
  readonly expires_at: number
}

export class RevocationLog {
  readonly #after: Statement<[number, number], Columns>

  constructor(db: Connection) {
    this.#after = db.prepare<[number, number], Columns>(
      'SELECT seq, kind, key, expires_at FROM revocations WHERE seq > ? ORDER BY seq LIMIT ?',
    )
  }

  /** At most `limit` rows with a higher number than `seq`, in order. */
  after(seq: number, limit: number): RevocationRow[] {
    return this.#after.all(seq, limit).map(toRow)
  }
}

function toRow({ seq, kind, key, expires_at }: Columns): RevocationRow {
  const hex = key.toString('hex')
  return { seq, kind, kid: hex.slice(0, 16), nonce: hex.slice(16), expiresAt: expires_at }
}
