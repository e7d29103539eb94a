import type { AlarmCode } from '../../shared/alarms.ts'
import { type ArchiverRules, type ArchiverState, nameOf, type WorkName } from './state.ts'

const WORKS_LONG = 10

/** What an operator should look at. */
export interface ArchiveAlert {
  readonly code: Extract<
    AlarmCode,
    'archive_behind' | 'archive_failing' | 'archive_job_failing' | 'archive_late' | 'drill_failed'
  >
  readonly text: string
}

/** A failure of these means that nothing arrives. */
const ARRIVING: ReadonlySet<string> = new Set<WorkName>(['claim', 'upload', 'heartbeat'])

export function alertsOf(state: ArchiverState, nowMs: number, { lateMs }: ArchiverRules): readonly ArchiveAlert[] {
  const failures = Object.entries(state.errors).map(([what, message]) => ({
    code: codeOf(what),
    text: `${what} fails: ${message}`,
  }))
  const isBehind = state.behindSinceMs !== undefined && nowMs - state.behindSinceMs > lateMs
  const waiting = `${state.committed - state.archived} transactions wait for the archive`
  const slow = [...late(state, nowMs - lateMs), ...long(state, nowMs - WORKS_LONG * lateMs)]
  return [
    ...failures,
    ...(isBehind ? [{ code: 'archive_behind', text: waiting } as const] : []),
    ...slow.map((text) => ({ code: 'archive_late', text }) as const),
  ]
}

function codeOf(what: string): ArchiveAlert['code'] {
  if (what === 'drill') return 'drill_failed'
  return ARRIVING.has(what) ? 'archive_failing' : 'archive_job_failing'
}

function late({ due, working, aside }: ArchiverState, beforeMs: number): readonly string[] {
  const waiting = due.filter(({ job }) => job !== aside && (working?.kind !== 'job' || working.job !== job))
  return waiting.filter(({ sinceMs }) => sinceMs < beforeMs).map(({ job }) => `${job} is late`)
}

function long({ working, workingSinceMs, aside, asideSinceMs }: ArchiverState, beforeMs: number): readonly string[] {
  const names = [
    ...(working !== undefined && workingSinceMs < beforeMs ? [nameOf(working)] : []),
    ...(aside !== undefined && asideSinceMs < beforeMs ? [aside] : []),
  ]
  return names.map((name) => `${name} has not ended for long`)
}
