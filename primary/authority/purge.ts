/**
 * Deletes outlived revocations, in ranges of their numbers, so that whole pages of the log become free. The caller read the
 * rows earlier, so each is judged again here, inside the transaction.
 */
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { isOutlived } from '../../shared/verifier/outlived.ts'
import { requireBelieved } from './believed.ts'
import type { CommandOf } from './commands.ts'
import type { Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

type Purge = CommandOf<'revocations.purge'>
type Range = Extract<Row, { table: 'revocations purged' }>['row']

/** If this throws, or the transaction is rolled back, nothing is purged, and the next purge finds the same rows. */
export function purge(
  state: AuthorityState,
  { actor, rows, deletionClockMs }: Purge,
  context: DecisionContext,
): Decision {
  const nowMs = Math.min(requireBelieved(context).earliestMs, deletionClockMs)
  const outlived = rows.filter((row) => isOutlived(row, nowMs))
  for (const row of outlived) state.undo.push(state.revocations.dropUndoably(row))
  // The issue clock is persisted. So if the clock is set back later, no token that a purged row named becomes valid again.
  if (nowMs > state.issue.lastMs) state.issue = resumeNonces(Math.floor(nowMs))
  const ranges = rangesOf(outlived)
  const detail = { purged: outlived.length, ranges: ranges.length, nowMs: Math.floor(nowMs) }
  const target = ranges.length === 0 ? '' : `${ranges[0]?.first}-${ranges.at(-1)?.last}`
  return {
    rows: ranges.map((row) => ({ table: 'revocations purged', row })),
    answer: { purged: outlived.length },
    audit: { atMs: context.nowMs, actor: actor.text, action: 'revocations.purge', org: '', target, detail },
  }
}

/** Joins consecutive numbers only, so a range never covers a row that was not judged. */
function rangesOf(rows: Purge['rows']): readonly Range[] {
  const ranges: { first: number; last: number }[] = []
  for (const { seq } of rows) {
    const range = ranges.at(-1)
    if (range?.last === seq - 1) range.last = seq
    else ranges.push({ first: seq, last: seq })
  }
  return ranges
}
