/**
 * The `revocations.known` call on a replica's `admin` channel: every revocation that this replica has ever acknowledged and
 * still has, from its pages and, ahead of them and of earlier timelines, from its journal. A restore asks for it.
 */
import { z } from 'zod'
import type { RevocationColumns } from '../database/revocation-columns.ts'
import { revocationRow, type RevocationRow } from './revocation-row.ts'

export interface KnownParams {
  /** Rows of the pages with a higher number than this; 0 also asks for the journal. */
  readonly after: number
}

export const knownParams: z.ZodType<KnownParams> = z.strictObject({ after: z.number().int().nonnegative() })

export interface KnownResult {
  /** Position text of the pages; null without a database. */
  readonly position: string | null
  readonly issueClockMs: number
  /** The longest lease that its pages know to have been granted. */
  readonly leaseMsMax: number
  readonly rows: readonly RevocationColumns[]
  /** From the journal; the same revocation may be among the rows of the pages. */
  readonly journal: readonly RevocationRow[]
  /** Pass it as `after` to go on; null when these were the last. */
  readonly next: number | null
}

/** As it is sent: rows of the journal as they lie there. */
export type KnownAnswer = Omit<KnownResult, 'journal'> & { readonly journal: readonly object[] }

const column = z.union([
  z.string(),
  z.number(),
  z.null(),
  z.strictObject({ hex: z.string().regex(/^([0-9a-f]{2})*$/) }),
])

export const knownResult: z.ZodType<KnownResult> = z.object({
  position: z.string().max(64).nullable(),
  issueClockMs: z.number().int().nonnegative(),
  leaseMsMax: z.number().int().nonnegative(),
  rows: z.array(z.record(z.string().regex(/^[a-z_]{1,64}$/), column)),
  journal: z.array(revocationRow),
  next: z.number().int().nullable(),
})
