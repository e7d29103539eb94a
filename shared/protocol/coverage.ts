/** `revocations.coverage` on the `sign` channel: where a revocation binds, and waiting until it binds everywhere. */
import { z } from 'zod'
import { COVERAGE_WAIT_MS_MAX } from '../limits.ts'

export interface CoverageParams {
  /** Of the revocation, as its position says. */
  readonly epoch: number
  readonly seq: number
  /** Answer after this long at the latest. */
  readonly waitMs: number
}

export const coverageParams: z.ZodType<CoverageParams> = z.strictObject({
  epoch: z.number().int().nonnegative(),
  seq: z.number().int().positive(),
  waitMs: z.number().int().nonnegative().max(COVERAGE_WAIT_MS_MAX),
})

/** How one replica, with every worker behind it, is covered. */
export interface CoveredReplica {
  readonly name: string
  readonly region: string | null
  /**
   * `acknowledged`: the replica has it on its disk, and no worker of its judges without it. `lease expired`: its lease from
   * before ended, and its workers' with it. `no lease`: it held none. `pending`: it may still judge without it.
   */
  readonly how: 'acknowledged' | 'lease expired' | 'no lease' | 'pending'
  /** Unix milliseconds by the primary's clock: since when; with `pending`, from when on at the latest. */
  readonly atMs: number
}

export interface CoverageResult {
  readonly seq: number
  /** Nobody accepts it any more, anywhere. */
  readonly covered: boolean
  /** Until then a lease may run that the primary granted before its last start; null when that is past. Unix milliseconds. */
  readonly earlierLeasesUntilMs: number | null
  readonly replicas: readonly CoveredReplica[]
}
