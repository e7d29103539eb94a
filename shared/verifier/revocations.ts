/** All revocations as a node looks them up: single tokens in a table, the few that name more of them beside it. */
import type { Kid, Nonce } from '../ids.ts'
import type { KnownRevocation, TokenRevocation } from './revocation-row.ts'
import { CutOffs } from './cut-offs.ts'
import {
  RevocationTable,
  type RevocationTableOptions,
  type TableImage,
  type UnconfirmedSlots,
} from './revocation-table.ts'

export class Revocations {
  readonly cutOffs: CutOffs = new CutOffs()
  readonly #tokens: RevocationTable
  /** While a census runs: the cut-offs that were confirmed. */
  #confirmed: CutOffs | undefined

  constructor(tokens: RevocationTableOptions | RevocationTable) {
    this.#tokens = tokens instanceof RevocationTable ? tokens : new RevocationTable(tokens)
  }

  /** The single tokens, as they are now. */
  image(): TableImage {
    return this.#tokens.image()
  }

  /** What holds now, as rows that would bring it about; their numbers are nobody's. */
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

  /** Whether it would deny nothing that is not denied by one of its own kind. */
  covers(row: KnownRevocation): boolean {
    return row.kind === 'token' ? this.#tokens.has(row.kid as Kid, row.nonce as Nonce) : this.cutOffs.covers(row)
  }

  /** True when it denies more than was denied before. */
  take(row: KnownRevocation): boolean {
    if (row.kind === 'token') return this.#tokens.add(row.kid as Kid, row.nonce as Nonce, row.expiresAt)
    this.#confirmed?.take(row)
    return this.cutOffs.take(row)
  }

  /** From now on what is confirmed, or taken, is told from what is here for another reason. */
  beginCensus(): void {
    this.#tokens.beginCensus()
    this.#confirmed = new CutOffs()
  }

  /** Whether it is denied here; the census counts it as confirmed then. */
  confirm(row: KnownRevocation): boolean {
    if (row.kind === 'token') return this.#tokens.confirm(row.kid as Kid, row.nonce as Nonce)
    if (!this.cutOffs.covers(row)) return false
    this.#confirmed?.take(row)
    return true
  }

  /** As those of the table: single tokens that nobody confirmed, but for those that expired before a time. */
  unconfirmedTokens(from: number, expiredBefore: number): UnconfirmedSlots | undefined {
    return this.#tokens.unconfirmed(from, expiredBefore)
  }

  /** Cut-offs that nobody confirmed as far as they reach. */
  unconfirmedCutOffs(): number {
    const confirmed = this.#confirmed ?? new CutOffs()
    return [...this.cutOffs.rows()].filter((row) => !confirmed.covers(row)).length
  }

  endCensus(): void {
    this.#tokens.endCensus()
    this.#confirmed = undefined
  }

  /** As `take`, for a row that is not committed yet: what comes back takes it away again, the last one first. */
  takeUndoably(row: KnownRevocation): () => void {
    const before = row.kind === 'token' ? undefined : this.cutOffs.reach(row)
    if (!this.take(row)) return () => undefined
    if (row.kind !== 'token') return () => this.cutOffs.reset(row, before)
    return () => void this.#tokens.remove(row.kid as Kid, row.nonce as Nonce)
  }

  /** Of one that hits nothing any more; what comes back puts it there again. */
  dropUndoably(row: TokenRevocation): () => void {
    if (!this.#tokens.remove(row.kid as Kid, row.nonce as Nonce)) return () => undefined
    return () => void this.take(row)
  }

  /** As those of the table: single tokens that expired before a time, in unix seconds. */
  sweep(from: number, expiredBefore: number): number | undefined {
    return this.#tokens.sweep(from, expiredBefore)
  }

  shrink(): void {
    this.#tokens.shrink()
  }
}
