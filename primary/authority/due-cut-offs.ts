/**
 * Cut-offs that are requested while the clock is in doubt. Each applies at once up to the last token that this authority
 * minted. That may not be enough: a restore may have lost mints whose times are later than the issue clock. So the request is
 * kept, and appended again up to its own time once time is believed. This happens before anything else is minted, so it
 * revokes no later token.
 */
import { assert, MacaroondError } from '../../shared/errors.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { append, type Why } from './append.ts'
import { requireBelieved } from './believed.ts'
import type { CommandOf } from './commands.ts'
import type { DueCutOff, DueCutOffRow, Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** Value of `untilMs` in a due cut-off that stands for the time of the request. */
export const MOMENT_ASKED = 0

/** Key of a due cut-off. A map, not a search: one signer may have very many. */
export function dueName(cutOff: DueCutOff): string {
  return JSON.stringify([cutOff.kind, cutOff.org, cutOff.untilMs, cutOff.kind === 'subject' ? cutOff.subject : null])
}

/** A repeated request replaces the earlier row, because the later time reaches further. */
export function oweCutOff(
  state: AuthorityState,
  cutOff: DueCutOff,
  { actor, reason }: Why,
  { nowMs, steadyMs }: DecisionContext,
): readonly Row[] {
  const name = dueName(cutOff)
  const before = state.dueCutOffs.get(name)
  // Deleted first, so that the entry moves to the end: due cut-offs are appended in the order of their requests.
  state.dueCutOffs.delete(name)
  state.dueSeq += 1
  const asked = { atMs: nowMs, steadyMs, actor: actor.text, reason }
  const row: DueCutOffRow = { seq: state.dueSeq, cutOff, ...asked }
  state.dueCutOffs.set(name, row)
  const removed: readonly Row[] =
    before === undefined ? [] : [{ table: 'due_cut_offs removed', row: { seq: before.seq } }]
  return [...removed, { table: 'due_cut_offs', row }]
}

/** Appends a due cut-off up to the time of its request, and removes it. Throws clock_implausible. */
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

/** Called before each mint: a due cut-off could revoke a token that is minted before it is appended. Throws overloaded. */
export function requireNothingDue({ dueCutOffs }: AuthorityState): void {
  if (dueCutOffs.size === 0) return
  throw new MacaroondError(
    'overloaded',
    'cut-offs that were requested while the clock was in doubt are appended first',
    {
      hint: 'try again in a second',
      retryAfterMs: 1_000,
    },
  )
}

/** After a restart the age of the request is unknown, so the cut-off reaches up to now. Nothing was minted since. */
function reachOf({ cutOff, steadyMs: askedSteadyMs }: DueCutOffRow, { nowMs, steadyMs }: DecisionContext): number {
  const askedMs = askedSteadyMs === undefined ? nowMs : nowMs - (steadyMs - askedSteadyMs)
  return cutOff.untilMs === MOMENT_ASKED ? askedMs : Math.min(cutOff.untilMs, askedMs)
}
