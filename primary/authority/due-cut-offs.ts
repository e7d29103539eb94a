/**
 * Cut-offs that are asked for while the clock is in doubt. They reach the last token that this authority minted, and are kept:
 * after a restore there may be tokens of a lost tail, whose times are later than the issue clock. Once time is believed each is
 * appended again up to the moment it was asked for, before anything is minted, so it hits nothing that came later.
 */
import { assert, MacaroondError } from '../../shared/errors.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { append, type Why } from './append.ts'
import { requireBelieved } from './believed.ts'
import type { CommandOf } from './commands.ts'
import type { DueCutOff, DueCutOffRow, Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** As `untilMs` of a cut-off that is due: the moment it was asked for. */
export const MOMENT_ASKED = 0

/** What is owed once: a signer may owe very many, so none is looked for among the others. */
export function dueName(cutOff: DueCutOff): string {
  return JSON.stringify([cutOff.kind, cutOff.org, cutOff.untilMs, cutOff.kind === 'subject' ? cutOff.subject : null])
}

/** Asked for again, the later moment is the one to reach: the earlier row goes. */
export function oweCutOff(
  state: AuthorityState,
  cutOff: DueCutOff,
  { actor, reason }: Why,
  { nowMs, steadyMs }: DecisionContext,
): readonly Row[] {
  const name = dueName(cutOff)
  const before = state.dueCutOffs.get(name)
  // The last to be asked for is the last to be appended.
  state.dueCutOffs.delete(name)
  state.dueSeq += 1
  const asked = { atMs: nowMs, steadyMs, actor: actor.text, reason }
  const row: DueCutOffRow = { seq: state.dueSeq, cutOff, ...asked }
  state.dueCutOffs.set(name, row)
  const removed: readonly Row[] =
    before === undefined ? [] : [{ table: 'due_cut_offs removed', row: { seq: before.seq } }]
  return [...removed, { table: 'due_cut_offs', row }]
}

export function repeatCutOff(
  state: AuthorityState,
  { actor, name }: CommandOf<'cut-off.again'>,
  context: DecisionContext,
): Decision {
  requireBelieved(context)
  const due = state.dueCutOffs.get(name)
  assert(due !== undefined, 'a cut-off that is due is appended again')
  const { cutOff, reason, actor: askedBy } = due
  const untilMs = reachOf(due, context)
  const why = { org: cutOff.org, actor: { text: askedBy }, reason }
  const { rows, seq, already } = append(state, { ...cutOff, untilMs, expiresAt: 0 }, why, context)
  if (untilMs >= state.issue.lastMs) state.issue = resumeNonces(untilMs)
  state.dueCutOffs.delete(name)
  const target = cutOff.kind === 'subject' ? cutOff.subject : cutOff.org
  const entry = { atMs: context.nowMs, actor: actor.text, action: 'cut-off.again', org: cutOff.org, target }
  return {
    rows: [...rows, { table: 'due_cut_offs removed', row: { seq: due.seq } }],
    answer: { noted: true },
    audit: { ...entry, detail: { seq, already, untilMs, askedBy, reason } },
  }
}

/** Before the first mint: what is minted while a cut-off is due could be hit by it. */
export function requireNothingDue({ dueCutOffs }: AuthorityState): void {
  if (dueCutOffs.size === 0) return
  throw new MacaroondError(
    'overloaded',
    'cut-offs that were asked for while the clock was in doubt are appended first',
    {
      hint: 'try again in a second',
      retryAfterMs: 1_000,
    },
  )
}

/** After a restart nobody knows how long ago it was asked for. It then reaches up to now: nothing was minted since. */
function reachOf({ cutOff, steadyMs: askedSteadyMs }: DueCutOffRow, { nowMs, steadyMs }: DecisionContext): number {
  const askedMs = askedSteadyMs === undefined ? nowMs : nowMs - (steadyMs - askedSteadyMs)
  return cutOff.untilMs === MOMENT_ASKED ? askedMs : Math.min(cutOff.untilMs, askedMs)
}
