/**
 * Finds the record of a mint by its nonce, without an index: nonces begin with the issue clock and rise strictly, so the
 * append-only table is sorted by them and bisection takes about 20 reads at a million rows.
 */
import type { Statement } from 'better-sqlite3'
import type { Kid, Nonce } from '../ids.ts'
import type { Connection } from '../sqlite/connection.ts'

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
  readonly #range: Statement<[], { readonly low: number | null; readonly high: number | null }>
  readonly #at: Statement<[number], Columns>

  constructor(db: Connection) {
    // Asked for apart: SQLite answers one MIN or MAX from the end of the table, but for both at once it reads all of it.
    this.#range = db.prepare('SELECT (SELECT MIN(seq) FROM issued) AS low, (SELECT MAX(seq) FROM issued) AS high')
    this.#at = db.prepare('SELECT kid, nonce, subject, expires_at FROM issued WHERE seq = ?')
  }

  find(kid: Kid, nonce: Nonce): IssuedRecord | undefined {
    const row = this.#bisect(Buffer.from(nonce, 'hex'))
    if (row === undefined || row.kid.toString('hex') !== kid) return undefined
    return { kid, subject: row.subject, expiresAt: row.expires_at }
  }

  #bisect(nonce: Buffer): Columns | undefined {
    const range = this.#range.get()
    let low = range?.low ?? 1
    let high = range?.high ?? 0
    while (low <= high) {
      const middle = Math.floor((low + high) / 2)
      const row = this.#at.get(middle)
      if (row === undefined) return undefined
      const order = Buffer.compare(row.nonce, nonce)
      if (order === 0) return row
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }
}
