/**
 * Releases denials that need not be enforced any more: durable pages of the present history hold or cover them, all their
 * tokens have expired, or an operator gave them up. It reads the pages once, and afterwards only the rows that were added.
 */
import { turn, type Entropy, type Timers } from '../../shared/clock.ts'
import { type Forgotten, ForgottenNumbers } from '../../shared/database/forgotten.ts'
import type { Meta } from '../../shared/database/meta.ts'
import { RevocationLog } from '../../shared/database/revocation-log.ts'
import type { Denial } from '../../shared/protocol/denials.ts'
import type { KnownRevocation, RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { isCoveredByBroader } from '../../shared/verifier/cut-offs.ts'
import { isOutlived } from '../../shared/verifier/outlived.ts'
import { TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import type { Denials } from './denials.ts'

/** What the durable pages say. Later pages may be visible already, and a power cut could take them back. */
export interface DurablePages {
  readonly meta: Meta
  readonly forgotten: readonly Forgotten[]
}

export interface ReleaseChecks {
  /** True if this replica refuses what the row names. A row of the pages that is not enforced is damaged, and holds nothing. */
  readonly isEnforced: (row: KnownRevocation) => boolean
  /** Called with denials that an operator gave up, before they are removed from the file. False: not now. */
  readonly onForgotten: (givenUp: Revocations) => Promise<boolean>
  /** An abort ends the work early; then nothing is released. */
  readonly signal: AbortSignal
}

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

  /** Reads the rows of the durable pages with `reader`. */
  async release(reader: Database, { meta, forgotten }: DurablePages, checks: ReleaseChecks): Promise<ReleasedDenials> {
    const isNew = this.#begin(meta)
    // Rows are only added, but another timeline may have as many rows and other ones.
    const hasForgotten = isNew || forgotten.length !== this.#forgottenRanges
    this.#forgottenRanges = forgotten.length
    if (hasForgotten) this.#forgotten = new ForgottenNumbers(forgotten)
    const sizeBefore = this.#held.size
    // Noted also after a read error, so that the next release does not miss what changed.
    try {
      await this.#readPages(new RevocationLog(reader), meta, checks)
    } finally {
      this.#isDue ||= isNew || hasForgotten || this.#held.size !== sizeBefore
    }
    if (!this.#isDue || checks.signal.aborted) return NOTHING
    const released = await this.#releaseFromFile(meta, checks)
    this.#isDue = released === undefined
    return released ?? NOTHING
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

  async #readPages(log: RevocationLog, { revocationSeq }: Meta, checks: ReleaseChecks): Promise<void> {
    while (this.#through < revocationSeq && !checks.signal.aborted) {
      const rows = log.after(this.#through, ROWS_A_READ).filter(({ seq }) => seq <= revocationSeq)
      for (const row of rows) this.#indexRow(row, checks)
      this.#through = rows.at(-1)?.seq ?? revocationSeq
      await turn(this.#timers)
    }
  }

  #indexRow(row: RevocationRow, { isEnforced }: ReleaseChecks): void {
    if (row.kind === 'unknown' || (row.kind === 'token' && !this.#denials.covers(row))) return
    if (isEnforced(row)) this.#held.take(row)
  }

  /** Undefined if `onForgotten` says that it is too early. */
  async #releaseFromFile(meta: Meta, { onForgotten }: ReleaseChecks): Promise<ReleasedDenials | undefined> {
    const isOver = (denial: Denial, row: RevocationRow): boolean => this.#isOver(denial, row, meta.issueClockMs)
    const isGivenUp = (denial: Denial, row: RevocationRow): boolean =>
      this.#forgotten.has(denial) && !isOver(denial, row)
    const forgotten = this.#forgottenRanges === 0 ? 0 : await this.#denials.count(isGivenUp)
    if (forgotten > 0 && !(await onForgotten(await this.#indexOf(isGivenUp)))) return undefined
    const released = await this.#denials.release((denial, row) => isOver(denial, row) || isGivenUp(denial, row))
    // The rewritten file has only rows that were examined now, so the index stays valid for it.
    this.#generation = this.#denials.generation
    return { released, forgotten }
  }

  async #indexOf(is: (denial: Denial, row: RevocationRow) => boolean): Promise<Revocations> {
    const index = this.#emptyIndex()
    await this.#denials.count((denial, row) => row.kind !== 'unknown' && is(denial, row) && index.take(row))
    return index
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
