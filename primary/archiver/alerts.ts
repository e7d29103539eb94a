import { type ArchiverRules, type ArchiverState, nameOf } from './state.ts'

const WORKS_LONG = 10

/** What an operator should look at, in words. */
export function alertsOf(state: ArchiverState, nowMs: number, { lateMs }: ArchiverRules): readonly string[] {
  const failures = Object.entries(state.errors).map(([what, message]) => `${what} fails: ${message}`)
  const behind = state.behindSinceMs !== undefined && nowMs - state.behindSinceMs > lateMs
  const stall = behind ? [`${state.committed - state.archived} transactions wait for the archive`] : []
  return [...failures, ...stall, ...late(state, nowMs - lateMs), ...long(state, nowMs - WORKS_LONG * lateMs)]
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
