/** The `revocations.coverage` call on the `sign` channel: where a revocation binds. It can wait until it binds everywhere. */
import { z } from 'zod'
import { COVERAGE_WAIT_MS_MAX } from '../limits.ts'

export interface CoverageParams {
  /** Epoch of the revocation, from its position. */
  readonly epoch: number
  readonly seq: number
  /** Milliseconds after which the call is answered at the latest. */
  readonly waitMs: number
}

export const coverageParams: z.ZodType<CoverageParams> = z.strictObject({
  epoch: z.number().int().nonnegative(),
  seq: z.number().int().positive(),
  waitMs: z.number().int().nonnegative().max(COVERAGE_WAIT_MS_MAX),
})

/** The coverage of one replica and all its workers. */
export interface CoveredReplica {
  readonly name: string
  readonly region: string | null
  /**
   * `acknowledged`: the replica has it on disk, and none of its workers judges without it. `lease expired`: its lease from
   * before the revocation ended, and so did its workers'. `no lease`: it had none. `pending`: it may still judge without it.
   */
  readonly how: 'acknowledged' | 'lease expired' | 'no lease' | 'pending'
  /** Time since which it is covered; if `pending`, the latest time at which it will be. Unix milliseconds of the primary. */
  readonly atMs: number
}

export interface CoverageResult {
  readonly seq: number
  /** True if the revocation binds everywhere. */
  readonly covered: boolean
  /** End of the leases that the primary may have granted before its last start; null if it is past. Unix milliseconds. */
  readonly earlierLeasesUntilMs: number | null
  readonly replicas: readonly CoveredReplica[]
}
