/** Reads the records of mints for people, in the order of issue, with the ancestors of service tokens. */
import type { Statement } from 'better-sqlite3'
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import type { Kid, Nonce } from '../../shared/ids.ts'
import { LIST_CHARS_MAX, LIST_RECORDS_READ_MAX, WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import type { TokenIdentifier } from '../../shared/macaroon/identifier.ts'
import { nonceTimeMs } from '../../shared/macaroon/nonce.ts'
import type { ListedToken, ListTokensResult } from '../../shared/protocol/tokens.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { ByNonce } from './by-nonce.ts'
import type { Lineage } from './lineage.ts'

interface Columns {
  readonly seq: number
  readonly kid: string
  readonly nonce: string
  readonly subject: string
  readonly expiresAt: number
}

export interface ListTokensOptions {
  /** Records with a higher number than this. */
  readonly after: number
  readonly limit: number
  /** Unix milliseconds. Earlier records are not read. */
  readonly sinceMs: number
  readonly matches: (record: { readonly kid: Kid; readonly subject: string }) => boolean
  /** Undefined for a token that the caller does not want after all. */
  readonly describe: (token: TokenIdentifier) => ListedToken | undefined
  readonly signal: AbortSignal
}

/** Bytes of the time at the beginning of a nonce. */
const TIME_BYTES = 6
const TIME_MS_MAX: number = 2 ** (8 * TIME_BYTES) - 1

export class TokenListing {
  readonly #after: Statement<[number, number], Columns>
  readonly #rows: ByNonce<{ readonly kid: Buffer; readonly nonce: Buffer }>
  readonly #lineage: Pick<Lineage, 'between'>
  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Database, lineage: Pick<Lineage, 'between'>, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#lineage = lineage
    this.#timers = timers
    this.#rows = new ByNonce(db, 'issued')
    this.#after = db.prepare<[number, number], Columns>(
      `SELECT seq, lower(hex(kid)) AS kid, lower(hex(nonce)) AS nonce, subject, expires_at AS expiresAt
       FROM issued WHERE seq > ? ORDER BY seq LIMIT ?`,
    )
  }

  /** Reads in slices, so that writes continue meanwhile. Ends early once `signal` aborts. */
  async list({ after, limit, sinceMs, matches, describe, signal }: ListTokensOptions): Promise<ListTokensResult> {
    const tokens: ListedToken[] = []
    let last = Math.max(after, this.#rows.firstFrom(timeBytes(sinceMs)) - 1)
    let lookedUpToMs: number | null = null
    let chars = 0
    for (let read = 0; read < LIST_RECORDS_READ_MAX && !signal.aborted; read += WALK_ROWS_A_TURN) {
      const rows = this.#after.all(last, WALK_ROWS_A_TURN)
      const identified = this.#identified(rows)
      for (const row of rows) {
        if (tokens.length === limit || chars > LIST_CHARS_MAX) return { tokens, next: last, lookedUpToMs }
        last = row.seq
        lookedUpToMs = nonceTimeMs(row.nonce as Nonce)
        if (!matches({ kid: row.kid as Kid, subject: row.subject })) continue
        const described = describe(identified(row))
        if (described === undefined) continue
        tokens.push(described)
        chars += JSON.stringify(described).length
      }
      if (rows.length < WALK_ROWS_A_TURN) return { tokens, lookedUpToMs }
      await turn(this.#timers)
    }
    return { tokens, next: last, lookedUpToMs }
  }

  /**
   * Makes the identifier of a record. The exchanges of the slice are read once, because a search for each row would cost more.
   */
  #identified(rows: readonly Columns[]): (row: Columns) => TokenIdentifier {
    const [first, last] = [rows[0], rows.at(-1)]
    const ancestorsOf =
      first === undefined || last === undefined
        ? new Map<string, TokenIdentifier['ancestors']>()
        : this.#lineage.between(first.nonce as Nonce, last.nonce as Nonce)
    return ({ kid, nonce, subject, expiresAt }) => ({
      kid: kid as Kid,
      nonce: nonce as Nonce,
      subject,
      expiresAt,
      ancestors: ancestorsOf.get(nonce) ?? [],
    })
  }
}

function timeBytes(ms: number): Buffer {
  const bytes = Buffer.alloc(TIME_BYTES)
  bytes.writeUIntBE(Math.min(ms, TIME_MS_MAX), 0, TIME_BYTES)
  return bytes
}
