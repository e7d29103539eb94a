/** What the process says to the shell: one number for each kind of outcome. */
import { MacaroondError, type ErrorKind } from '../shared/errors.ts'
import type { Verdict } from '../shared/verifier/verdict.ts'

const OF_KIND: Readonly<Record<ErrorKind, number>> = { failed: 1, usage: 2, denied: 3, unavailable: 4, conflict: 5 }

export const EXIT_FAILED: number = OF_KIND.failed
export const EXIT_DENIED: number = OF_KIND.denied
export const EXIT_UNAVAILABLE: number = OF_KIND.unavailable

/** An error that is not ours is a bug of ours, and a failure to whoever called. */
export function exitStatusOf(error: unknown): number {
  return error instanceof MacaroondError ? OF_KIND[error.kind] : OF_KIND.failed
}

/** A refused token is `denied`; what could not be judged says nothing of the token, so it is told apart from that. */
export function exitStatusOfVerdict(verdict: Verdict): number {
  if (verdict.ok) return 0
  return verdict.reason === 'unavailable' ? OF_KIND.unavailable : OF_KIND.denied
}
