/**
 * Deletes revocations that hit nothing any more, in ranges of their numbers, so that whole pages of the log become free. What
 * the caller read is judged again here, inside the transaction.
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

/** Where this command is refused, or its transaction undone, nothing was purged: the next one finds the same rows. */
export function purge(state: AuthorityState, { actor, rows, soberMs }: Purge, context: DecisionContext): Decision {
  const nowMs = Math.min(requireBelieved(context).earliestMs, soberMs)
  const outlived = rows.filter((row) => isOutlived(row, nowMs))
  for (const row of outlived) state.undo.push(state.revocations.dropUndoably(row))
  // Written down: a clock that is set back later does not make anything live again that a purged row named.
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

/** Of numbers that follow each other: nothing is between them that was not looked at. */
function rangesOf(rows: Purge['rows']): readonly Range[] {
  const ranges: { first: number; last: number }[] = []
  for (const { seq } of rows) {
    const range = ranges.at(-1)
    if (range?.last === seq - 1) range.last = seq
    else ranges.push({ first: seq, last: seq })
  }
  return ranges
}
