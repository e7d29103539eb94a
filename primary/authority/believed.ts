import { MacaroondError } from '../../shared/errors.ts'
import type { BelievedTime } from '../../shared/freshness/credible-time.ts'
import type { AuthorityMoment } from '../freshness/authority-time.ts'

/** Throws clock_implausible. */
export function requireBelieved({ believed }: AuthorityMoment): BelievedTime {
  if (believed !== undefined) return believed
  throw clockInDoubt()
}

export function clockInDoubt(): MacaroondError {
  return new MacaroondError('clock_implausible', 'this primary does not believe its clock', {
    hint: '`macaroond status` says why; put the clock right, or, if it is right, start the primary with --accept-clock. Revoking goes on',
  })
}
