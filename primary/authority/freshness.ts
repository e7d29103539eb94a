/** What the authority writes down for the leases of freshness: how long they may be, and that an epoch is everybody's. */
import type { Command } from './commands.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, Moment } from './step.ts'

/** Only ever longer: after a restart whoever held the longest one may still hold it. */
export function raiseLease(
  state: AuthorityState,
  { actor, leaseMs }: Extract<Command, { kind: 'lease.raise' }>,
  moment: Moment,
): Decision {
  state.leaseMsMax = Math.max(state.leaseMsMax, Math.ceil(leaseMs))
  return noted({ actor, action: 'lease.raise', detail: { leaseMs: state.leaseMsMax } }, moment)
}

export function settleEpoch(
  state: AuthorityState,
  { actor, because }: Extract<Command, { kind: 'epoch.settle' }>,
  moment: Moment,
): Decision {
  state.settledEpoch = state.epoch
  return noted({ actor, action: 'epoch.settle', detail: { epoch: state.epoch, because } }, moment)
}

function noted(
  entry: Pick<Command, 'actor'> & Pick<Decision['audit'], 'action' | 'detail'>,
  { wallMs }: Moment,
): Decision {
  const { actor, action, detail } = entry
  const audit = { atMs: wallMs, actor: actor.text, action, org: '', target: '', detail }
  return { rows: [], answer: { noted: true }, audit }
}
