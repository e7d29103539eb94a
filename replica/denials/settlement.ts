/**
 * Decides which denials can be released: those that durable pages of the present history hold or cover, those whose tokens have
 * all expired, and those that an operator gave up. It reads the pages once and then only what was added.
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

export interface SettlementResult {
  readonly released: number
  /** The part of `released` that an operator gave up and nothing else covers. */
  readonly forgotten: number
}

const NOTHING: SettlementResult = { released: 0, forgotten: 0 }
const ROWS_A_READ = 500

/** Keeps its index of the pages between calls; a new timeline or a rewritten file makes it start over. */
export class Settlement {
  readonly #denials: Denials
  readonly #entropy: Pick<Entropy, 'bytes'>
  readonly #timers: Pick<Timers, 'soon'>
  #timeline: string | undefined
  #generation = -1
  /** The revocations of the pages were read up to this number. */
  #through = 0
  #forgotten = new ForgottenNumbers([])
  #forgottenRanges = 0
  /** Revocations in the pages. Of those of single tokens, only the ones that are also denials. */
  #held: Revocations

  constructor(denials: Denials, entropy: Pick<Entropy, 'bytes'>, timers: Pick<Timers, 'soon'>) {
    this.#denials = denials
    this.#entropy = entropy
    this.#timers = timers
    this.#held = this.#nothing()
  }

  /**
   * `meta` is that of the durable pages. `onForgotten` is called before given-up denials are removed from the file. An abort of
   * the signal ends it early.
   */
  async settle(
    { reader }: TableSource,
    meta: Meta,
    { onForgotten, signal }: { readonly onForgotten: () => Promise<void>; readonly signal: AbortSignal },
  ): Promise<SettlementResult> {
    const isNew = this.#begin(meta)
    const forgotten = readForgotten(reader, meta.schema)
    const hasForgotten = forgotten.length !== this.#forgottenRanges
    this.#forgottenRanges = forgotten.length
    if (hasForgotten) this.#forgotten = new ForgottenNumbers(forgotten)
    const sizeBefore = this.#held.size
    await this.#lookAtPages(new RevocationLog(reader), meta, signal)
    const hasChanged = isNew || hasForgotten || this.#held.size !== sizeBefore
    if (!hasChanged || signal.aborted) return NOTHING
    return this.#release(meta, onForgotten)
  }

  /** Starts over if the pages or the file are new. True if it did. */
  #begin({ timeline }: Meta): boolean {
    if (this.#timeline === timeline && this.#generation === this.#denials.generation) return false
    this.#timeline = timeline
    this.#generation = this.#denials.generation
    this.#through = 0
    this.#held = this.#nothing()
    return true
  }

  async #lookAtPages(log: RevocationLog, { revocationSeq }: Meta, signal: AbortSignal): Promise<void> {
    while (this.#through < revocationSeq && !signal.aborted) {
      const rows = log.after(this.#through, ROWS_A_READ).filter(({ seq }) => seq <= revocationSeq)
      for (const row of rows) this.#see(row)
      this.#through = rows.at(-1)?.seq ?? revocationSeq
      await turn(this.#timers)
    }
  }

  #see(row: RevocationRow): void {
    if (row.kind === 'unknown' || (row.kind === 'token' && !this.#denials.has(row))) return
    this.#held.take(row)
  }

  async #release(meta: Meta, onForgotten: () => Promise<void>): Promise<SettlementResult> {
    const ends = (denial: Denial, row: RevocationRow): boolean => this.#isHeld(denial, row, meta.issueClockMs)
    const isGivenUp = (denial: Denial, row: RevocationRow): boolean => this.#forgotten.has(denial) && !ends(denial, row)
    const forgotten = this.#forgottenRanges === 0 ? 0 : await this.#denials.count(isGivenUp)
    if (forgotten > 0) await onForgotten()
    const released = await this.#denials.release((denial, row) => ends(denial, row) || isGivenUp(denial, row))
    // The remaining rows have been examined, so the new file needs no second look.
    this.#generation = this.#denials.generation
    return { released, forgotten }
  }

  #isHeld({ columns }: Denial, row: RevocationRow, issueClockMs: number): boolean {
    if (row.kind === 'unknown') return false
    if (isOutlived(row, issueClockMs) || this.#held.covers(row)) return true
    return isCoveredByBroader(this.#held.cutOffs, row, typeof columns['org'] === 'string' ? columns['org'] : '')
  }

  #nothing(): Revocations {
    return new Revocations({ seed: this.#entropy.bytes(TABLE_SEED_BYTES), expected: this.#denials.size })
  }
}
