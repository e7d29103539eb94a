/** Derives the archive's alerts from the archiver's state. Pure: an alert lasts as long as its condition. */
import type { AlarmCode } from '../../shared/alarms.ts'
import { type ArchiverRules, type ArchiverState, type Failure, nameOf, type WorkName } from './state.ts'

/** Work counts as stuck after `STUCK_FACTOR * lateMs`; essential work, after `STUCK_FACTOR_ESSENTIAL * lateMs`. */
const STUCK_FACTOR = 10
const STUCK_FACTOR_ESSENTIAL = 3

/** One condition of the archive that an operator should look at. */
export interface ArchiveAlert {
  readonly code: Extract<
    AlarmCode,
    'archive_behind' | 'archive_missing' | 'archive_failing' | 'archive_job_failing' | 'archive_late' | 'drill_failed'
  >
  readonly text: string
}

/** Nothing reaches the archive while one of these fails. */
const ESSENTIAL_WORK: ReadonlySet<string> = new Set<WorkName>(['claim', 'upload', 'heartbeat'])

export function alertsOf(state: ArchiverState, nowMs: number, { lateMs }: ArchiverRules): readonly ArchiveAlert[] {
  const failures = Object.entries(state.errors).map(([work, { code, message }]) => ({
    code: codeOf(work, code),
    text: `${work} fails: ${message}`,
  }))
  const isBehind = state.behindSinceMs !== undefined && nowMs - state.behindSinceMs > lateMs
  const backlog = `${state.committed - state.archived} transactions wait for the archive`
  const slow = [...lateJobs(state, nowMs - lateMs), ...stuckWork(state, nowMs, lateMs)]
  return [
    ...failures,
    ...(isBehind ? [{ code: 'archive_behind', text: backlog } as const] : []),
    ...slow.map((text) => ({ code: 'archive_late', text }) as const),
  ]
}

function codeOf(work: string, code: Failure['code']): ArchiveAlert['code'] {
  if (code === 'archive_missing') return code
  if (work === 'drill') return 'drill_failed'
  return ESSENTIAL_WORK.has(work) ? 'archive_failing' : 'archive_job_failing'
}

function lateJobs({ due, working, background }: ArchiverState, beforeMs: number): readonly string[] {
  const waiting = due.filter(({ job }) => job !== background && (working?.kind !== 'job' || working.job !== job))
  return waiting.filter(({ sinceMs }) => sinceMs < beforeMs).map(({ job }) => `${job} is late`)
}

/** Work that has run too long. Without this a storage that never answers would raise no alert. */
function stuckWork(
  { working, workingSinceMs, background, backgroundSinceMs }: ArchiverState,
  nowMs: number,
  lateMs: number,
): readonly string[] {
  const name = nameOf(working)
  const limit = ESSENTIAL_WORK.has(name) ? STUCK_FACTOR_ESSENTIAL : STUCK_FACTOR
  const names = [
    ...(working !== undefined && nowMs - workingSinceMs > limit * lateMs ? [name] : []),
    ...(background !== undefined && nowMs - backgroundSinceMs > STUCK_FACTOR * lateMs ? [background] : []),
  ]
  return names.map((one) => `${one} takes unusually long`)
}
