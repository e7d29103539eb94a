/**
 * Reads the records of exchanges, for display: the ancestors of a service token, and the service tokens that were made from
 * a token. A verification reads the ancestors from the token itself.
 */
import type { Statement } from 'better-sqlite3'
import { systemClock, type Timers } from '../../shared/clock.ts'
import { KID_BYTES, type Kid, type Nonce, NONCE_BYTES, tokenId } from '../../shared/ids.ts'
import { WALK_ROWS_A_TURN } from '../../shared/limits.ts'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'
import type { MadeFromResult, MadeToken } from '../../shared/protocol/tokens.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { ByNonce } from './by-nonce.ts'
import { RowsByKey } from './rows-by-key.ts'
import { readPage } from './token-pages.ts'

interface Columns {
  readonly seq: number
  readonly kid: Buffer
  readonly nonce: Buffer
  readonly ancestors: Buffer
  readonly stripped: string
  readonly at_ms: number
}

export interface MadeFromOptions extends TokenReference {
  /** The root keys of its org. Exchanges under other keys are not read. */
  readonly keys: readonly Kid[]
  /** Empty, or `next` of the page before. */
  readonly after: string
  readonly limit: number
  readonly signal: AbortSignal
}

/** With the nonce in hex. */
type Row = Omit<Columns, 'nonce'> & { readonly nonce: string }

const NAME_BYTES: number = KID_BYTES + NONCE_BYTES

export class Lineage {
  readonly #rows: ByNonce<Columns>
  readonly #numbered: Statement<[string], Columns>
  readonly #byKey: RowsByKey
  readonly #timers: Pick<Timers, 'soon'>

  constructor(db: Database, timers: Pick<Timers, 'soon'> = systemClock) {
    this.#timers = timers
    this.#rows = new ByNonce(db, 'service_tokens')
    this.#byKey = new RowsByKey(db, 'service_tokens', timers)
    this.#numbered = db.prepare<[string], Columns>(
      'SELECT * FROM service_tokens WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq',
    )
  }

  /** Nearest first. Empty for a minted token, and for a token without a record. */
  ancestorsOf(kid: Kid, nonce: Nonce): readonly TokenReference[] {
    const row = this.#rows.find(kid, nonce)
    return row === undefined ? [] : namesIn(row.ancestors)
  }

  /** Learns of the exchanges since the last call. To be called before `between`. */
  update(signal: AbortSignal): Promise<void> {
    return this.#byKey.update(signal)
  }

  /**
   * The ancestors of the service tokens under these keys from the first nonce to the last, by nonce. There are at most as many
   * as mints, of which a slice has WALK_ROWS_A_TURN.
   */
  between(first: Nonce, last: Nonce, keys: readonly Kid[]): ReadonlyMap<string, readonly TokenReference[]> {
    const found = new Map<string, readonly TokenReference[]>()
    const end = Buffer.from(last, 'hex')
    for (const row of this.#read(keys, this.#rows.firstFrom(Buffer.from(first, 'hex')) - 1)) {
      if (Buffer.compare(row.nonce, end) > 0) break
      found.set(row.nonce.toString('hex'), namesIn(row.ancestors))
    }
    return found
  }

  /**
   * One page of the service tokens that were made from this token. A service token is newer than its ancestors, so earlier
   * records are not read.
   */
  async madeFrom({ kid, nonce, keys, after, limit, signal }: MadeFromOptions): Promise<MadeFromResult> {
    await this.#byKey.update(signal)
    const from = Math.max(this.#rows.firstAfter(after), this.#rows.firstFrom(Buffer.from(nonce, 'hex')))
    const read = (last: number): Row[] =>
      this.#read(keys, last).map((row) => ({ ...row, nonce: row.nonce.toString('hex') }))
    const isMadeFrom = ({ ancestors }: Row): boolean =>
      namesIn(ancestors).some((one) => one.nonce === nonce && one.kid === kid)
    const entriesOf =
      () =>
      (row: Row): MadeToken | undefined =>
        isMadeFrom(row) ? described(row) : undefined
    return readPage({ from, read, entriesOf, limit, signal, timers: this.#timers })
  }

  #read(keys: readonly Kid[], after: number): readonly Columns[] {
    return this.#numbered.all(JSON.stringify(this.#byKey.after(keys, after, WALK_ROWS_A_TURN)))
  }
}

function namesIn(ancestors: Buffer): readonly TokenReference[] {
  return Array.from({ length: ancestors.length / NAME_BYTES }, (_, index) => {
    const name = ancestors.toString('hex', index * NAME_BYTES, (index + 1) * NAME_BYTES)
    return { kid: name.slice(0, 2 * KID_BYTES) as Kid, nonce: name.slice(2 * KID_BYTES) as Nonce }
  })
}

function described({ kid, nonce, stripped, at_ms: atMs }: Row): MadeToken {
  return { id: tokenId(kid.toString('hex') as Kid, nonce as Nonce), atMs, stripped }
}
