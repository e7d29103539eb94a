/**
 * Decides which revocations are outlived: no token that they name, and none exchanged from it, can live any more. Pure.
 * A service token expires at most M after the token it was exchanged from, and names at most ANCESTORS_MAX ancestors. So every
 * descendant has expired ANCESTORS_MAX * M after the named token. Records of exchanges are not used, because a restore may
 * have lost some of them.
 */
import { ANCESTORS_MAX, PURGE_MARGIN_SECONDS, SERVICE_TTL_SECONDS_MAX } from '../limits.ts'
import type { RevocationRow, TokenRevocation } from './revocation-row.ts'

const OUTLIVING_SECONDS: number = ANCESTORS_MAX * SERVICE_TTL_SECONDS_MAX + PURGE_MARGIN_SECONDS

/**
 * The time by which a replica deletes outlived revocations: the issue clock in its pages, because that time has passed for
 * every node with these pages, but never a time after `ownMs`, the deletion clock of this replica. The clock of its primary may
 * have been ahead. The latest time that the replica believes is no bound, because the issue clock raises it.
 */
export function deletionMs(issueClockMs: number, ownMs: number): number {
  return Math.min(issueClockMs, Math.floor(ownMs))
}

/** Unix seconds. At `nowMs`, revocations of tokens that expired before the returned time are outlived. */
export function outlivedBefore(nowMs: number): number {
  return Math.floor(nowMs / 1000) - OUTLIVING_SECONDS
}

/** True if the revocation is outlived. A cut-off never is, nor a token without an expiry, or whose expiry is unknown. */
export function isOutlived(row: RevocationRow, nowMs: number): row is TokenRevocation {
  return row.kind === 'token' && row.expiresAt > 0 && row.expiresAt < outlivedBefore(nowMs)
}
