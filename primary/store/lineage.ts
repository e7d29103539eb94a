/**
 * Reads the records of exchanges, for display: the ancestors of a service token, and the service tokens that were made from
 * a token. A verification reads the ancestors from the token itself.
 */
import type { Statement } from 'better-sqlite3'
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import { KID_BYTES, type Kid, type Nonce, NONCE_BYTES, tokenId } from '../../shared/ids.ts'
import { LIST_CHARS_MAX, LIST_RECORDS_READ_MAX, WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'
import type { MadeFromResult, MadeToken } from '../../shared/protocol/tokens.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { ByNonce } from './by-nonce.ts'

interface Columns {
  readonly seq: number
  readonly kid: Buffer
  readonly nonce: Buffer
  readonly ancestors: Buffer
  readonly stripped: string
  readonly at_ms: number
}

export interface MadeFromOptions extends TokenReference {
  /** Records with a higher number than this. */
  readonly after: number
  readonly limit: number
  readonly signal: AbortSignal
}

const NAME_BYTES: number = KID_BYTES + NONCE_BYTES

export class Lineage {
  readonly #rows: ByNonce<Columns>
  readonly #after: Statement<[number, number], Columns>
  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Database, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#timers = timers
    this.#rows = new ByNonce(db, 'service_tokens')
    this.#after = db.prepare<[number, number], Columns>(
      'SELECT * FROM service_tokens WHERE seq > ? ORDER BY seq LIMIT ?',
    )
  }

  /** Nearest first. Empty for a minted token, and for a token without a record. */
  ancestorsOf(kid: Kid, nonce: Nonce): readonly TokenReference[] {
    const row = this.#rows.find(kid, nonce)
    return row === undefined ? [] : namesIn(row.ancestors)
  }

  /** The ancestors of every service token from the first nonce to the last, by nonce. */
  between(first: Nonce, last: Nonce): ReadonlyMap<string, readonly TokenReference[]> {
    const found = new Map<string, readonly TokenReference[]>()
    const end = Buffer.from(last, 'hex')
    for (const row of this.#after.iterate(this.#rows.firstFrom(Buffer.from(first, 'hex')) - 1, WALK_ROWS_A_TURN)) {
      if (Buffer.compare(row.nonce, end) > 0) break
      found.set(row.nonce.toString('hex'), namesIn(row.ancestors))
    }
    return found
  }

  /**
   * One page of the service tokens that were made from this token. Reads in slices, so that writes continue meanwhile. A
   * service token is newer than its ancestors, so earlier records are not read.
   */
  async madeFrom({ kid, nonce, after, limit, signal }: MadeFromOptions): Promise<MadeFromResult> {
    const tokens: MadeToken[] = []
    let last = Math.max(after, this.#rows.firstFrom(Buffer.from(nonce, 'hex')) - 1)
    let chars = 0
    for (let read = 0; read < LIST_RECORDS_READ_MAX && !signal.aborted; read += WALK_ROWS_A_TURN) {
      const rows = this.#after.all(last, WALK_ROWS_A_TURN)
      for (const row of rows) {
        if (tokens.length === limit || chars > LIST_CHARS_MAX) return { tokens, next: last }
        last = row.seq
        if (!namesIn(row.ancestors).some((one) => one.nonce === nonce && one.kid === kid)) continue
        const made = described(row)
        tokens.push(made)
        chars += JSON.stringify(made).length
      }
      if (rows.length < WALK_ROWS_A_TURN) return { tokens }
      await turn(this.#timers)
    }
    return { tokens, next: last }
  }
}

function namesIn(ancestors: Buffer): readonly TokenReference[] {
  return Array.from({ length: ancestors.length / NAME_BYTES }, (_, index) => {
    const name = ancestors.toString('hex', index * NAME_BYTES, (index + 1) * NAME_BYTES)
    return { kid: name.slice(0, 2 * KID_BYTES) as Kid, nonce: name.slice(2 * KID_BYTES) as Nonce }
  })
}

function described({ kid, nonce, stripped, at_ms: atMs }: Columns): MadeToken {
  return { id: tokenId(kid.toString('hex') as Kid, nonce.toString('hex') as Nonce), atMs, stripped }
}
