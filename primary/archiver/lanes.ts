/** Chooses the next work of each lane: the chain, where work adds entries, and the background. Pure. */
import type { ArchiverState, ChainJobName, Due, ArchiveWork } from './state.ts'

/** Chooses work that adds entries, one at a time. Uploads go before jobs. */
export function nextInChain(state: ArchiverState, nowMs: number): ArchiveWork | undefined {
  if (state.ended || state.working !== undefined || nowMs < state.retryAtMs) return undefined
  if (!state.claimed) return { kind: 'claim' }
  // Waits for a snapshot in the background, because both would write to the same scratch file.
  if (state.needsSnapshot) return state.background === 'snapshot' ? undefined : { kind: 'job', job: 'snapshot' }
  if (state.archived < state.committed && nowMs >= state.nextRoundMs) return { kind: 'upload', after: state.archived }
  const first = state.due.find((due): due is ReadyDue => isReady(state, due))
  return first === undefined ? undefined : { kind: 'job', job: first.job }
}

export function nextBackground(
  state: ArchiverState,
  nowMs: number,
): Extract<ArchiveWork, { kind: 'background' }> | undefined {
  const { ended, claimed, needsSnapshot, background, snapshotUploaded, working, due } = state
  if (ended || !claimed || needsSnapshot || background !== undefined || nowMs < state.retryAtMs) return undefined
  if (working?.kind === 'job' && working.job === 'retain') return undefined
  for (const { job } of due) {
    if (job === 'drill' || (job === 'snapshot' && !snapshotUploaded)) return { kind: 'background', job }
  }
  return undefined
}

type ReadyDue = Due & { readonly job: ChainJobName }

function isReady({ background, snapshotUploaded, archived }: ArchiverState, { job, needs }: Due): boolean {
  if (job === 'drill') return false
  if (job === 'snapshot') return snapshotUploaded
  // Retention waits for the background, because it deletes files that no entry names, and files that a drill may read.
  if (job === 'retain') return background === undefined && !snapshotUploaded
  return needs <= archived
}

/** The time at which work can begin without a further event, monotonic milliseconds; undefined if none can. */
export function wakeAt(state: ArchiverState): number | undefined {
  if (state.ended || state.working !== undefined) return undefined
  if (!state.claimed || state.needsSnapshot) return state.retryAtMs
  return state.archived < state.committed ? Math.max(state.nextRoundMs, state.retryAtMs) : undefined
}
