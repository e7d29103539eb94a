/** Refuses commands that need the present time while the primary doubts its clock. Revoking does not need it (V8). */
import { MacaroondError } from '../../shared/errors.ts'
import type { BelievedTime } from '../../shared/freshness/credible-time.ts'
import type { AuthorityMoment } from '../freshness/authority-time.ts'

/** The bounds of the present time. Throws clock_implausible. */
export function requireBelieved({ believed }: AuthorityMoment): BelievedTime {
  if (believed !== undefined) return believed
  throw clockDoubtError()
}

export function clockDoubtError(): MacaroondError {
  return new MacaroondError('clock_implausible', 'this primary does not believe its clock', {
    hint: '`macaroond status` says why; set the clock, or start the primary with --accept-clock. Revoking still works',
  })
}
