/**
 * The published revocation bound: B = L / (1 − ρ)^h + ε. L is the freshness lease, ρ the largest error of any clock's rate,
 * h the number of leases in a chain (the replica's, the worker's), ε the time from a decision to its answer.
 */
import { PING_INTERVAL_MS_MIN } from '../limits.ts'

export interface FreshnessSettings {
  /** L: how long a replica and its workers may judge after the primary's last confirmation. */
  readonly lease_ms: number
  /** Interval at which a replica asks for the next lease. */
  readonly ping_ms: number
  /** ρ: no clock of the cluster runs faster or slower than real time by more than this fraction. */
  readonly clock_rate_error: number
  /** ε: time from the last reading of the clock until the verdict is returned. */
  readonly decision_ms: number
}

/** h: the replica's lease and the worker's. */
export const LEASE_HOPS = 2

export const FRESHNESS_DEFAULTS: FreshnessSettings = {
  lease_ms: 5_000,
  ping_ms: 250,
  clock_rate_error: 0.005,
  decision_ms: 50,
}

/** B in milliseconds: no node accepts a revoked token for a request made this long after the acknowledgement. */
export function revocationBoundMs({ lease_ms, clock_rate_error, decision_ms }: FreshnessSettings): number {
  return Math.ceil(lease_ms / (1 - clock_rate_error) ** LEASE_HOPS + decision_ms)
}

/**
 * The time for which a grantor must count a lease on its own clock. The factor covers a grantor's clock that runs fast while
 * the clocks of the holders run slow.
 */
export function grantedMs(leaseMs: number, clockRateError: number, hops: number): number {
  return (leaseMs * (1 + clockRateError)) / (1 - clockRateError) ** hops
}

/** Returns the first contradiction between the settings, in words for the operator, or undefined. */
export function freshnessFault({ lease_ms, ping_ms, decision_ms }: FreshnessSettings): string | undefined {
  if (ping_ms < PING_INTERVAL_MS_MIN) return `ping_ms is at least ${PING_INTERVAL_MS_MIN}`
  if (lease_ms < 2 * ping_ms)
    return `lease_ms is at least twice ping_ms (${ping_ms}): one lost ping must not end a lease`
  if (decision_ms > lease_ms) return 'decision_ms is at most lease_ms: a decision takes a fraction of a lease'
  return undefined
}
