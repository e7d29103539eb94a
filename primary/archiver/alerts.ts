/** Derives the archive's alerts from the archiver's state. Pure: an alert lasts as long as its condition. */
import type { AlarmCode } from '../../shared/alarms.ts'
import { type ArchiverRules, type ArchiverState, type Failure, nameOf, type WorkName } from './state.ts'

/** Work counts as stuck after this many times `lateMs`. Claims, uploads and heartbeats do after `STANDS_STILL` times. */
const WORKS_LONG = 10
const STANDS_STILL = 3

/** One condition of the archive that an operator should look at. */
export interface ArchiveAlert {
  readonly code: Extract<
    AlarmCode,
    'archive_behind' | 'archive_missing' | 'archive_failing' | 'archive_job_failing' | 'archive_late' | 'drill_failed'
  >
  readonly text: string
}

/** If one of these fails, nothing reaches the archive. */
const ARRIVING: ReadonlySet<string> = new Set<WorkName>(['claim', 'upload', 'heartbeat'])

export function alertsOf(state: ArchiverState, nowMs: number, { lateMs }: ArchiverRules): readonly ArchiveAlert[] {
  const failures = Object.entries(state.errors).map(([what, { code, message }]) => ({
    code: codeOf(what, code),
    text: `${what} fails: ${message}`,
  }))
  const isBehind = state.behindSinceMs !== undefined && nowMs - state.behindSinceMs > lateMs
  const waiting = `${state.committed - state.archived} transactions wait for the archive`
  const slow = [...late(state, nowMs - lateMs), ...long(state, nowMs, lateMs)]
  return [
    ...failures,
    ...(isBehind ? [{ code: 'archive_behind', text: waiting } as const] : []),
    ...slow.map((text) => ({ code: 'archive_late', text }) as const),
  ]
}

function codeOf(what: string, code: Failure['code']): ArchiveAlert['code'] {
  if (code === 'archive_missing') return code
  if (what === 'drill') return 'drill_failed'
  return ARRIVING.has(what) ? 'archive_failing' : 'archive_job_failing'
}

function late({ due, working, aside }: ArchiverState, beforeMs: number): readonly string[] {
  const waiting = due.filter(({ job }) => job !== aside && (working?.kind !== 'job' || working.job !== job))
  return waiting.filter(({ sinceMs }) => sinceMs < beforeMs).map(({ job }) => `${job} is late`)
}

/** Work that has run too long. Without this a storage that never answers would raise no alert. */
function long(
  { working, workingSinceMs, aside, asideSinceMs }: ArchiverState,
  nowMs: number,
  lateMs: number,
): readonly string[] {
  const name = nameOf(working)
  const limit = ARRIVING.has(name) ? STANDS_STILL : WORKS_LONG
  const names = [
    ...(working !== undefined && nowMs - workingSinceMs > limit * lateMs ? [name] : []),
    ...(aside !== undefined && nowMs - asideSinceMs > WORKS_LONG * lateMs ? [aside] : []),
  ]
  return names.map((one) => `${one} takes unusually long`)
}
