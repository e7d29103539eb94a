/** Reads the records of mints for people, in the order of issue, with the ancestors of service tokens. */
import type { Statement } from 'better-sqlite3'
import { systemClock, type Timers } from '../../shared/clock.ts'
import type { Kid, Nonce } from '../../shared/ids.ts'
import { WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import type { TokenIdentifier } from '../../shared/macaroon/identifier.ts'
import type { ListedToken, ListTokensResult } from '../../shared/protocol/tokens.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { ByNonce } from './by-nonce.ts'
import type { Lineage } from './lineage.ts'
import { RowsByKey } from './rows-by-key.ts'
import { readPage } from './token-pages.ts'

interface Columns {
  readonly seq: number
  readonly kid: string
  readonly nonce: string
  readonly subject: string
  readonly expiresAt: number
}

export interface ListTokensOptions {
  /** Empty, or `next` of the page before. */
  readonly after: string
  readonly limit: number
  /** Unix milliseconds. Earlier records are not read. */
  readonly sinceMs: number
  /** The root keys of the org. Records under other keys are not read. */
  readonly keys: readonly Kid[]
  readonly matches: (record: { readonly kid: Kid; readonly subject: string }) => boolean
  /** Undefined for a token that the caller does not want after all. */
  readonly describe: (token: TokenIdentifier) => ListedToken | undefined
  readonly signal: AbortSignal
}

/** Bytes of the time at the beginning of a nonce. */
const TIME_BYTES = 6
const TIME_MS_MAX: number = 2 ** (8 * TIME_BYTES) - 1

export class TokenListing {
  readonly #numbered: Statement<[string], Columns>
  readonly #byKey: RowsByKey
  readonly #rows: ByNonce<{ readonly kid: Buffer; readonly nonce: Buffer }>
  readonly #lineage: Pick<Lineage, 'between' | 'update'>
  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Database, lineage: Pick<Lineage, 'between' | 'update'>, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#lineage = lineage
    this.#timers = timers
    this.#rows = new ByNonce(db, 'issued')
    this.#byKey = new RowsByKey(db, 'issued', timers)
    this.#numbered = db.prepare<[string], Columns>(
      `SELECT seq, lower(hex(kid)) AS kid, lower(hex(nonce)) AS nonce, subject, expires_at AS expiresAt
       FROM issued WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`,
    )
  }

  async list(options: ListTokensOptions): Promise<ListTokensResult> {
    const { after, limit, sinceMs, keys, matches, describe, signal } = options
    await this.#byKey.update(signal)
    // After the mints, so that it knows the exchange of every record that is listed.
    await this.#lineage.update(signal)
    const from = Math.max(this.#rows.firstAfter(after), this.#rows.firstFrom(timeBytes(sinceMs)))
    const read = (last: number): Columns[] =>
      this.#numbered.all(JSON.stringify(this.#byKey.after(keys, last, WALK_ROWS_A_TURN)))
    const entriesOf = (rows: readonly Columns[]): ((row: Columns) => ListedToken | undefined) => {
      const identified = this.#identified(rows, keys)
      return (row) => (matches({ kid: row.kid as Kid, subject: row.subject }) ? describe(identified(row)) : undefined)
    }
    return readPage({ from, read, entriesOf, limit, signal, timers: this.#timers })
  }

  /**
   * Makes the identifier of a record. The exchanges of the slice are read once, because a search for each row would cost more.
   */
  #identified(rows: readonly Columns[], keys: readonly Kid[]): (row: Columns) => TokenIdentifier {
    const [first, last] = [rows[0], rows.at(-1)]
    const ancestorsOf =
      first === undefined || last === undefined
        ? new Map<string, TokenIdentifier['ancestors']>()
        : this.#lineage.between(first.nonce as Nonce, last.nonce as Nonce, keys)
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
