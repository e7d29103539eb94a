/**
 * Decides the commands that record the authority's own operation: the longest freshness lease, the settled epoch, the replicas
 * that may acknowledge revocations, and the chains of its archives. Each record is written before the primary relies on it,
 * because the next start reads it from disk.
 */
import type { Command, CommandOf } from './commands.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** The recorded length never falls: after a restart some holder may still have a lease of that length. */
export function raiseLease(
  state: AuthorityState,
  { actor, leaseMs }: CommandOf<'lease.raise'>,
  context: DecisionContext,
): Decision {
  state.leaseMsMax = Math.max(state.leaseMsMax, Math.ceil(leaseMs))
  return noted({ actor, action: 'lease.raise', detail: { leaseMs: state.leaseMsMax } }, context)
}

export function settleEpoch(
  state: AuthorityState,
  { actor, because }: CommandOf<'epoch.settle'>,
  context: DecisionContext,
): Decision {
  state.settledEpoch = state.epoch
  return noted({ actor, action: 'epoch.settle', detail: { epoch: state.epoch, because } }, context)
}

export function noteConfiguration(
  state: AuthorityState,
  { actor, configured }: CommandOf<'configuration.note'>,
  context: DecisionContext,
): Decision {
  const { replicas, durability, degraded } = configured
  state.configured = configured
  const detail = { durability, degraded, replicas: replicas.map(({ peerId }) => peerId).join(' ') }
  return {
    ...noted({ actor, action: 'configuration.note', detail }, context),
    rows: [
      { table: 'configured_replicas removed', row: {} },
      ...replicas.map((row) => ({ table: 'configured_replicas', row }) as const),
      { table: 'meta configured', row: { durability, degraded } },
    ],
  }
}

export function noteArchive(
  state: AuthorityState,
  { actor, place, location, chain }: CommandOf<'archive.note'>,
  context: DecisionContext,
): Decision {
  const before = state.archiveChains.get(place)?.repaired ?? ''
  state.archiveChains.set(place, chain)
  const { entry, repaired } = chain
  const isRepair = repaired !== '' && repaired !== before
  const action = isRepair ? 'archive.repair' : repaired === before ? 'archive.note' : 'archive.repair-seen'
  return {
    ...noted({ actor, action, detail: { location, entry, ...(isRepair ? { repaired } : {}) } }, context),
    rows: [{ table: 'archive_chains', row: { place, ...chain } }],
  }
}

function noted(
  entry: Pick<Command, 'actor'> & Pick<Decision['audit'], 'action' | 'detail'>,
  { nowMs }: DecisionContext,
): Decision {
  const { actor, action, detail } = entry
  const audit = { atMs: nowMs, actor: actor.text, action, org: '', target: '', detail }
  return { rows: [], answer: { noted: true }, audit }
}
