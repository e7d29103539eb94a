/** The exit status of the process: one number for each kind of error. Scripts rely on these numbers. */
import { MacaroondError, type ErrorKind } from '../shared/errors.ts'
import type { Verdict } from '../shared/verifier/verdict.ts'

const OF_KIND: Readonly<Record<ErrorKind, number>> = { failed: 1, usage: 2, denied: 3, unavailable: 4, conflict: 5 }

export const EXIT_FAILED: number = OF_KIND.failed
export const EXIT_DENIED: number = OF_KIND.denied
export const EXIT_UNAVAILABLE: number = OF_KIND.unavailable
/** The cluster serves in part. Only `status` uses it: no error means that. */
export const EXIT_DEGRADED = 6

/** The exit status for an error. An error that is not a MacaroondError is a bug, and counts as failed. */
export function exitStatusOf(error: unknown): number {
  return error instanceof MacaroondError ? OF_KIND[error.kind] : OF_KIND.failed
}

/** 3 for a refused token, 4 for a token that no replica could judge: a script must not treat that as a refusal. */
export function exitStatusOfVerdict(verdict: Verdict): number {
  if (verdict.ok) return 0
  return verdict.reason === 'unavailable' ? OF_KIND.unavailable : OF_KIND.denied
}
