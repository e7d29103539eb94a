/**
 * Keeps the due cut-offs: cut-offs that were requested while the clock was in doubt. Such a cut-off applies at once up to the
 * last token that this authority minted. That may not be enough, because a restore may have lost mints that are later than the
 * issue clock. So the primary keeps the request, and appends it again, up to the time of the request, once time is believed.
 * It does so before it mints anything, so the second cut-off revokes no later token.
 */
import { assert, MacaroondError } from '../../shared/errors.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { append, type Attribution } from './append.ts'
import { requireBelieved } from './believed.ts'
import type { CommandOf } from './commands.ts'
import type { DueCutOff, DueCutOffRow, Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** Value of `untilMs` that means: up to the time of the request. */
export const TIME_OF_REQUEST = 0

/**
 * Key of a due cut-off in the state's map. The map exists because one signer may have very many, and a search would be slow.
 */
export function dueCutOffKey(cutOff: DueCutOff): string {
  return JSON.stringify([cutOff.kind, cutOff.org, cutOff.untilMs, cutOff.kind === 'subject' ? cutOff.subject : null])
}

/** Adds a due cut-off. A repeated request replaces the earlier row, because its later time covers more tokens. */
export function deferCutOff(
  state: AuthorityState,
  cutOff: DueCutOff,
  { actor, reason }: Attribution,
  { nowMs, steadyMs }: DecisionContext,
): readonly Row[] {
  const name = dueCutOffKey(cutOff)
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
export function appendDueCutOff(
  state: AuthorityState,
  { actor, name }: CommandOf<'cut-off.again'>,
  context: DecisionContext,
): Decision {
  requireBelieved(context)
  const due = state.dueCutOffs.get(name)
  assert(due !== undefined, 'only a due cut-off in the state is appended')
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
export function requireNoDueCutOffs({ dueCutOffs }: AuthorityState): void {
  if (dueCutOffs.size === 0) return
  throw new MacaroondError(
    'overloaded',
    'the primary first appends the cut-offs that were requested while its clock was in doubt',
    {
      hint: 'try again in a second',
      retryAfterMs: 1_000,
    },
  )
}

/** After a restart the age of the request is unknown, so the cut-off reaches up to now. Nothing was minted since. */
function reachOf({ cutOff, steadyMs: askedSteadyMs }: DueCutOffRow, { nowMs, steadyMs }: DecisionContext): number {
  const askedMs = askedSteadyMs === undefined ? nowMs : nowMs - (steadyMs - askedSteadyMs)
  return cutOff.untilMs === TIME_OF_REQUEST ? askedMs : Math.min(cutOff.untilMs, askedMs)
}
