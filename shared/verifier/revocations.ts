/**
 * All revocations of a node in memory: single tokens in a table, cut-offs beside it. A census finds the revocations in memory
 * that the node's files do not hold.
 */
import type { Kid, Nonce } from '../ids.ts'
import type { KnownRevocation, TokenRevocation } from './revocation-row.ts'
import { CutOffs } from './cut-offs.ts'
import { RevocationTable, type RevocationTableOptions, type TableImage } from './revocation-table.ts'

export class Revocations {
  readonly cutOffs: CutOffs = new CutOffs()
  readonly #tokens: RevocationTable
  /** During a census: the cut-offs that were confirmed. */
  #confirmed: CutOffs | undefined

  constructor(tokens: RevocationTableOptions | RevocationTable) {
    this.#tokens = tokens instanceof RevocationTable ? tokens : new RevocationTable(tokens)
  }

  /** A copy of the table of single tokens. */
  image(): TableImage {
    return this.#tokens.image()
  }

  /** The revocations in force, as rows. Their `seq` has no meaning. */
  *rows(): Generator<KnownRevocation> {
    yield* this.#tokens.rows()
    yield* this.cutOffs.rows()
  }

  get size(): number {
    return this.#tokens.size + this.cutOffs.size
  }

  revoked(kid: Kid, nonce: Nonce): boolean {
    return this.#tokens.has(kid, nonce)
  }

  /** True if a revocation of the same kind already covers this one. */
  covers(row: KnownRevocation): boolean {
    return row.kind === 'token' ? this.#tokens.has(row.kid as Kid, row.nonce as Nonce) : this.cutOffs.covers(row)
  }

  /** Adds a revocation. True if it denies more than before. */
  take(row: KnownRevocation): boolean {
    if (row.kind === 'token') return this.#tokens.add(row.kid as Kid, row.nonce as Nonce, row.expiresAt)
    this.#confirmed?.take(row)
    return this.cutOffs.take(row)
  }

  /** Begins a census: revocations that are confirmed or added from now on are marked. */
  beginCensus(): void {
    this.#tokens.beginCensus()
    this.#confirmed = new CutOffs()
  }

  /** True if the revocation is here. The census then counts it as confirmed. */
  confirm(row: KnownRevocation): boolean {
    if (row.kind === 'token') return this.#tokens.confirm(row.kid as Kid, row.nonce as Nonce)
    if (!this.cutOffs.covers(row)) return false
    this.#confirmed?.take(row)
    return true
  }

  /** True unless single tokens have moved in memory since the census began. It must then begin again. */
  get isCensusWhole(): boolean {
    return this.#tokens.isCensusWhole
  }

  /** The unconfirmed revocations, without single tokens that expire before a time, in parts. It ends if entries move. */
  *unconfirmed(expiredBefore: number): Generator<readonly KnownRevocation[]> {
    yield* this.#tokens.unconfirmed(expiredBefore)
    const confirmed = this.#confirmed ?? new CutOffs()
    yield [...this.cutOffs.rows()].filter((row) => !confirmed.covers(row))
  }

  endCensus(): void {
    this.#tokens.endCensus()
    this.#confirmed = undefined
  }

  /** Like `take`, for a row that is not committed yet. The returned function undoes it; call them in reverse order. */
  takeUndoably(row: KnownRevocation): () => void {
    const before = row.kind === 'token' ? undefined : this.cutOffs.reach(row)
    if (!this.take(row)) return () => undefined
    if (row.kind !== 'token') return () => this.cutOffs.reset(row, before)
    return () => void this.#tokens.remove(row.kid as Kid, row.nonce as Nonce)
  }

  /** Removes an outlived revocation. The returned function adds it again. */
  dropUndoably(row: TokenRevocation): () => void {
    if (!this.#tokens.remove(row.kid as Kid, row.nonce as Nonce)) return () => undefined
    return () => void this.take(row)
  }

  /** Removes single tokens that expired before a time, in unix seconds, as `RevocationTable.sweep` does. */
  sweep(from: number, expiredBefore: number): number | undefined {
    return this.#tokens.sweep(from, expiredBefore)
  }

  shrink(): void {
    this.#tokens.shrink()
  }
}
