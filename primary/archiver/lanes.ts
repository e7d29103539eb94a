/** Chooses the next work of each lane: of the one that adds to the chain, and of the one beside it. Pure. */
import type { ArchiverState, ChainJobName, Due, ArchiveWork } from './state.ts'

/** Uploads go ahead of jobs. */
export function nextInChain(state: ArchiverState, nowMs: number): ArchiveWork | undefined {
  if (state.ended || state.working !== undefined || nowMs < state.retryAtMs) return undefined
  if (!state.claimed) return { kind: 'claim' }
  // A snapshot in the other lane belongs to the earlier chain, and both would write to one scratch file.
  if (state.needsSnapshot) return state.aside === 'snapshot' ? undefined : { kind: 'job', job: 'snapshot' }
  if (state.archived < state.committed && nowMs >= state.nextRoundMs) return { kind: 'upload', after: state.archived }
  const first = state.due.find((due): due is ReadyDue => isReady(state, due))
  return first === undefined ? undefined : { kind: 'job', job: first.job }
}

export function nextAside(state: ArchiverState, nowMs: number): Extract<ArchiveWork, { kind: 'aside' }> | undefined {
  const { ended, claimed, needsSnapshot, aside, prepared, working, due } = state
  if (ended || !claimed || needsSnapshot || aside !== undefined || nowMs < state.retryAtMs) return undefined
  if (working?.kind === 'job' && working.job === 'retain') return undefined
  for (const { job } of due) {
    if (job === 'drill' || (job === 'snapshot' && !prepared)) return { kind: 'aside', job }
  }
  return undefined
}

type ReadyDue = Due & { readonly job: ChainJobName }

function isReady({ aside, prepared, archived }: ArchiverState, { job, needs }: Due): boolean {
  if (job === 'drill') return false
  if (job === 'snapshot') return prepared
  // Retention deletes files that no entry names, and files that a drill may be reading.
  if (job === 'retain') return aside === undefined && !prepared
  return needs <= archived
}

/** When work can begin without a further event, monotonic milliseconds; undefined if it cannot. */
export function wakeAt(state: ArchiverState): number | undefined {
  if (state.ended || state.working !== undefined) return undefined
  if (!state.claimed || state.needsSnapshot) return state.retryAtMs
  return state.archived < state.committed ? Math.max(state.nextRoundMs, state.retryAtMs) : undefined
}
