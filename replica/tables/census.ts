/**
 * Compares the table of revocations with the files that it was made from, in parts, beside other work. It adds to the table
 * what it lacks, and hands over what no file has.
 */
import { CutOffs } from '../../shared/verifier/cut-offs.ts'
import { turn, type Timers } from '../../shared/clock.ts'
import { isOutlived, outlivedBefore } from '../../shared/verifier/outlived.ts'
import type { KnownRevocation, RevocationRow } from '../../shared/verifier/revocation-row.ts'
import type { Revocations } from '../../shared/verifier/revocations.ts'

/** The result of comparing the table with the files. */
export interface TableFindings {
  /** Number of revocations that the files have and the table lacked. */
  readonly missing: number
  /** Number of revocations that the table had and no file had: a restart could have lost them. */
  readonly unaccounted: number
}

/**
 * Takes the revocations that no file has, in parts that may be empty, and returns their number. `held` are the cut-offs in the
 * pages that the table has too.
 */
export type TakeLost = (lost: Iterable<readonly KnownRevocation[]>, held: CutOffs) => Promise<number>

export interface Census {
  readonly revocations: Revocations
  /** Rows that are not in the pages. */
  readonly outsidePages: Iterable<RevocationRow>
  /** Some rows of the pages after a number; none at their end. */
  readonly pagesAfter: (after: number) => readonly RevocationRow[]
  /** The time by which the table was swept, unix milliseconds. */
  readonly sweptMs: number
  readonly issueClockMs: number
  /** False once the table or the history is another one. */
  readonly isValid: () => boolean
  readonly timers: Pick<Timers, 'soon'>
  readonly takeLost: TakeLost
}

/** Few enough to be collected before the next read: after larger reads V8 keeps more memory permanently. */
export const ROWS_A_READ = 500

/** Outlived rows do not count. Undefined if the census became invalid, or if entries of the table moved meanwhile. */
export async function takeCensus(census: Census): Promise<TableFindings | undefined> {
  const { revocations, outsidePages, pagesAfter, isValid, timers, takeLost, issueClockMs } = census
  const held = new CutOffs()
  revocations.beginCensus()
  try {
    // The other files come first: a row that is removed from one during the comparison is in the pages by then.
    let missing = 0
    for (const rows of inBatches(outsidePages)) {
      missing += confirm(rows, census)
      await turn(timers)
      if (!isValid()) return undefined
    }
    for (let after = 0; isValid();) {
      const rows = pagesAfter(after)
      hold(held, rows, revocations)
      missing += confirm(rows, census)
      const last = rows.at(-1)
      if (last === undefined) {
        const unaccounted = await takeLost(revocations.unconfirmed(outlivedBefore(issueClockMs)), held)
        return isValid() && revocations.isCensusWhole ? { missing, unaccounted } : undefined
      }
      after = last.seq
      await turn(timers)
    }
    return undefined
  } finally {
    revocations.endCensus()
  }
}

/** Adds cut-offs of the pages. One that the table lacks may be damage, and covers nothing. */
function hold(held: CutOffs, rows: readonly RevocationRow[], revocations: Revocations): void {
  for (const row of rows) if (row.kind !== 'token' && row.kind !== 'unknown' && revocations.covers(row)) held.take(row)
}

/** Marks rows as confirmed by a file, and adds those that the table lacks. Returns the number added. */
function confirm(rows: Iterable<RevocationRow>, { revocations, sweptMs }: Census): number {
  let missing = 0
  for (const row of rows) {
    // Only a row that the last sweep deleted may be missing. The issue clock alone may be ahead.
    if (row.kind === 'unknown' || revocations.confirm(row) || isOutlived(row, sweptMs)) continue
    revocations.take(row)
    missing += 1
  }
  return missing
}

/** Parts of limited length. */
export function* inBatches<T>(all: Iterable<T>, length: number = ROWS_A_READ): Generator<readonly T[]> {
  let batch: T[] = []
  for (const one of all) {
    batch.push(one)
    if (batch.length < length) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
