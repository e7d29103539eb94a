/**
 * Pure: finds the cut-offs that a restored database still owes. They were requested while the primary's clock was in doubt, and
 * reach up to the time of the request, which only a believed clock can tell. So a restore keeps them due, and the first start
 * appends them.
 */
import { dueCutOffKey, TIME_OF_REQUEST } from '../../primary/authority/due-cut-offs.ts'
import type { DueCutOffRow } from '../../primary/authority/rows.ts'

/** The due cut-offs of one database, and the place of that database in its history. */
export interface OwingState {
  readonly timeline: string
  readonly txid: number
  readonly due: readonly DueCutOffRow[]
}

/**
 * Of several states of one timeline the newest decides: what it lacks has been appended in it. Another history shows an append
 * by a revocation that reaches as far, with the same requester and reason. A due cut-off that stays although an unread history
 * appended it revokes what that history minted later. The other mistake would bring revoked tokens back.
 */
export function owedCutOffs(
  states: readonly OwingState[],
  isAppended: (due: DueCutOffRow, reachMs: number) => boolean,
): readonly DueCutOffRow[] {
  const newest = new Map<string, OwingState>()
  for (const state of states) {
    if ((newest.get(state.timeline)?.txid ?? -1) < state.txid) newest.set(state.timeline, state)
  }
  const owed = new Map<string, DueCutOffRow>()
  for (const due of [...newest.values()].flatMap((state) => state.due)) {
    const key = dueCutOffKey(due.cutOff)
    const isLater = (owed.get(key)?.atMs ?? -1) < due.atMs
    if (isLater && !isAppended(due, reachAtLeast(due))) owed.set(key, due)
  }
  return [...owed.values()].toSorted((a, b) => a.atMs - b.atMs)
}

/** The least time that its append reaches: the clock in doubt was not ahead of the believed time of the request. */
function reachAtLeast({ cutOff: { untilMs }, atMs }: DueCutOffRow): number {
  return untilMs === TIME_OF_REQUEST ? atMs : Math.min(untilMs, atMs)
}
