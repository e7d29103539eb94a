/**
 * Denials: revocations of an undone history that a replica still enforces, because it never accepts a token again that it once
 * refused. A replica reports them to its primary on the `revocations` channel, if the primary's welcome asks for them.
 */
import { z } from 'zod'
import type { RevocationColumns } from '../database/revocation-columns.ts'
import { keyOfRow, rowOfColumns } from '../database/revocation-log.ts'
import { timelineText } from '../id-schemas.ts'
import { epoch as asEpoch, EPOCH_MAX, timeline as asTimeline, type Epoch, type Timeline } from '../ids.ts'
import { DENIALS_CALL_MAX } from '../limits.ts'
import { revocationColumns } from './known-revocations.ts'
import type { KnownRevocation, RevocationRow } from '../verifier/revocation-row.ts'

export interface Denial {
  /** Timeline of the undone history; `epoch` and `seq` are the revocation's epoch and number there. */
  readonly timeline: Timeline
  readonly epoch: Epoch
  readonly seq: number
  /** All columns of the row, whatever version wrote it. */
  readonly columns: RevocationColumns
}

export const denial: z.ZodType<Denial> = z.object({
  timeline: timelineText.transform(asTimeline),
  epoch: z.number().int().nonnegative().max(EPOCH_MAX).transform(asEpoch),
  seq: z.number().int().positive(),
  columns: revocationColumns,
})

/** One message of a list of denials. The list begins with the first denial, and has at most as many as a primary accepts. */
export interface ReportedDenials {
  readonly t: 'denials'
  /** Number of all denials that this replica has. */
  readonly total: number
  /** True in the first message of a list. The complete list replaces the one before. */
  readonly first: boolean
  readonly last: boolean
  readonly denials: readonly Denial[]
}

export const reportedDenials: z.ZodObject<{
  t: z.ZodLiteral<'denials'>
  total: z.ZodNumber
  first: z.ZodBoolean
  last: z.ZodBoolean
  denials: z.ZodArray<typeof denial>
}> = z.object({
  t: z.literal('denials'),
  total: z.number().int().nonnegative(),
  first: z.boolean(),
  last: z.boolean(),
  denials: z.array(denial).max(DENIALS_CALL_MAX),
})

/** Decodes the row; its kind is `unknown` if this version does not understand it. */
export function rowOfDenial({ seq, columns }: Pick<Denial, 'seq' | 'columns'>): RevocationRow {
  const { kind, org, key, expires_at: expiresAt } = columns
  const hex = key !== null && typeof key === 'object' ? key.hex : ''
  return rowOfColumns({
    seq,
    kind: typeof kind === 'string' ? kind : '',
    org: typeof org === 'string' ? org : '',
    key: Buffer.from(hex, 'hex'),
    expires_at: typeof expiresAt === 'number' ? expiresAt : 0,
  })
}

/** Columns for a row whose time, actor and reason are not known. */
export function columnsOfRow(row: KnownRevocation, org: string): RevocationColumns {
  const common = { at_ms: 0, actor: 'replica', reason: 'known to a replica without its record' }
  const key = { hex: keyOfRow(row).toString('hex') }
  return { kind: row.kind, org, key, expires_at: row.expiresAt, ...common }
}
