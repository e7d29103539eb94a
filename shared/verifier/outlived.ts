/**
 * Pure: which revocations hit nothing any more. A service token may end M after what it was made from, and names at most
 * ANCESTORS_MAX tokens: so whatever goes back to a token has ended ANCESTORS_MAX * M after it. Nothing is asked of the records
 * of exchanges: a restore may have lost some of them.
 */
import { ANCESTORS_MAX, PURGE_MARGIN_SECONDS, SERVICE_TTL_SECONDS_MAX } from '../limits.ts'
import type { RevocationRow, TokenRevocation } from './revocation-row.ts'

const OUTLIVING_SECONDS: number = ANCESTORS_MAX * SERVICE_TTL_SECONDS_MAX + PURGE_MARGIN_SECONDS

/** Revocations of tokens that expired before this, in unix seconds, hit nothing at that time. */
export function outlivedBefore(nowMs: number): number {
  return Math.floor(nowMs / 1000) - OUTLIVING_SECONDS
}

/** Cut-offs stay: what they name may have tokens that never expire. So does a token that never does, or of which nobody knows. */
export function isOutlived(row: RevocationRow, nowMs: number): row is TokenRevocation {
  return row.kind === 'token' && row.expiresAt > 0 && row.expiresAt < outlivedBefore(nowMs)
}
