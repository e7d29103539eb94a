/**
 * Releases denials that need not be enforced any more: durable pages of the present history hold or cover them, all their
 * tokens have expired, or an operator gave them up. It reads the pages once, and afterwards only the rows that were added.
 */
import { turn, type Entropy, type Timers } from '../../shared/clock.ts'
import { ForgottenNumbers, readForgotten } from '../../shared/database/forgotten.ts'
import type { Meta } from '../../shared/database/meta.ts'
import { RevocationLog } from '../../shared/database/revocation-log.ts'
import type { Denial } from '../../shared/protocol/denials.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { isCoveredByBroader } from '../../shared/verifier/cut-offs.ts'
import { isOutlived } from '../../shared/verifier/outlived.ts'
import { TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import type { TableSource } from '../tables/tables.ts'
import type { Denials } from './denials.ts'

export interface ReleasedDenials {
  readonly released: number
  /** Number of those that an operator gave up and that no other revocation covers. Included in `released`. */
  readonly forgotten: number
}

const NOTHING: ReleasedDenials = { released: 0, forgotten: 0 }
const ROWS_A_READ = 500

/** Keeps its index of the pages between calls. A new timeline or a rewritten file of denials makes it start over. */
export class DenialReleaser {
  readonly #denials: Denials
  readonly #entropy: Pick<Entropy, 'bytes'>
  readonly #timers: Pick<Timers, 'soon'>
  #timeline: string | undefined
  #generation = -1
  /** The revocations of the pages were read up to this number. */
  #through = 0
  #forgotten = new ForgottenNumbers([])
  #forgottenRanges = 0
  /** True from a change in the pages until a release has succeeded: it may be aborted, or the disk may be full. */
  #isDue = false
  /** Revocations in the pages. One that names a single token is left out unless it is also a denial, to save memory. */
  #held: Revocations

  constructor(denials: Denials, entropy: Pick<Entropy, 'bytes'>, timers: Pick<Timers, 'soon'>) {
    this.#denials = denials
    this.#entropy = entropy
    this.#timers = timers
    this.#held = this.#emptyIndex()
  }

  /**
   * `meta` belongs to the durable pages. `onForgotten` is called before denials that an operator gave up are removed from the
   * file. An abort of the signal ends the work early; then nothing is released.
   */
  async release(
    { reader }: TableSource,
    meta: Meta,
    { onForgotten, signal }: { readonly onForgotten: () => Promise<void>; readonly signal: AbortSignal },
  ): Promise<ReleasedDenials> {
    const isNew = this.#begin(meta)
    const forgotten = readForgotten(reader, meta.schema)
    // Rows are only added, but another timeline may have as many rows and other ones.
    const hasForgotten = isNew || forgotten.length !== this.#forgottenRanges
    this.#forgottenRanges = forgotten.length
    if (hasForgotten) this.#forgotten = new ForgottenNumbers(forgotten)
    const sizeBefore = this.#held.size
    // Noted also after a read error, so that the next release does not miss what changed.
    try {
      await this.#readPages(new RevocationLog(reader), meta, signal)
    } finally {
      this.#isDue ||= isNew || hasForgotten || this.#held.size !== sizeBefore
    }
    if (!this.#isDue || signal.aborted) return NOTHING
    const released = await this.#releaseFromFile(meta, onForgotten)
    this.#isDue = false
    return released
  }

  /** Starts over if the pages or the file are new. True if it did. */
  #begin({ timeline }: Meta): boolean {
    if (this.#timeline === timeline && this.#generation === this.#denials.generation) return false
    this.#timeline = timeline
    this.#generation = this.#denials.generation
    this.#through = 0
    this.#held = this.#emptyIndex()
    return true
  }

  async #readPages(log: RevocationLog, { revocationSeq }: Meta, signal: AbortSignal): Promise<void> {
    while (this.#through < revocationSeq && !signal.aborted) {
      const rows = log.after(this.#through, ROWS_A_READ).filter(({ seq }) => seq <= revocationSeq)
      for (const row of rows) this.#indexRow(row)
      this.#through = rows.at(-1)?.seq ?? revocationSeq
      await turn(this.#timers)
    }
  }

  #indexRow(row: RevocationRow): void {
    if (row.kind === 'unknown' || (row.kind === 'token' && !this.#denials.covers(row))) return
    this.#held.take(row)
  }

  async #releaseFromFile(meta: Meta, onForgotten: () => Promise<void>): Promise<ReleasedDenials> {
    const isOver = (denial: Denial, row: RevocationRow): boolean => this.#isOver(denial, row, meta.issueClockMs)
    const isGivenUp = (denial: Denial, row: RevocationRow): boolean =>
      this.#forgotten.has(denial) && !isOver(denial, row)
    const forgotten = this.#forgottenRanges === 0 ? 0 : await this.#denials.count(isGivenUp)
    if (forgotten > 0) await onForgotten()
    const released = await this.#denials.release((denial, row) => isOver(denial, row) || isGivenUp(denial, row))
    // The rewritten file has only rows that were examined now, so the index stays valid for it.
    this.#generation = this.#denials.generation
    return { released, forgotten }
  }

  #isOver({ columns }: Denial, row: RevocationRow, issueClockMs: number): boolean {
    if (row.kind === 'unknown') return false
    if (isOutlived(row, issueClockMs) || this.#held.covers(row)) return true
    return isCoveredByBroader(this.#held.cutOffs, row, typeof columns['org'] === 'string' ? columns['org'] : '')
  }

  #emptyIndex(): Revocations {
    return new Revocations({ seed: this.#entropy.bytes(TABLE_SEED_BYTES), expected: this.#denials.size })
  }
}
