/**
 * A stretch: a part of the revocation log, as it is sent and forwarded. A number without a row was purged, because the row
 * could deny no living token any more. So a stretch states its begin and its end, and stretches follow each other without a
 * gap.
 */
import { z } from 'zod'
import { revocationRow, type RevocationRow } from '../verifier/revocation-row.ts'

/** Most rows in one message; 500 rows are about 60 KB. */
export const REVOCATIONS_A_MESSAGE = 500

export interface Stretch {
  /** Everything up to this number was sent before. */
  readonly after: number
  /** Ascending by number; empty if the whole stretch was purged. */
  readonly rows: readonly RevocationRow[]
  /** With this stretch, everything up to this number was sent, except purged rows. */
  readonly through: number
}

export interface Revoked extends Stretch {
  readonly t: 'revoked'
}

/** Schema of a stretch as a message. */
export const revoked: z.ZodObject<{
  t: z.ZodLiteral<'revoked'>
  after: z.ZodNumber
  rows: z.ZodArray<typeof revocationRow>
  through: z.ZodNumber
}> = z.object({
  t: z.literal('revoked'),
  after: z.number().int().nonnegative(),
  rows: z.array(revocationRow).max(REVOCATIONS_A_MESSAGE),
  through: z.number().int().positive(),
})

/** Returns the reason, in words, why a stretch does not continue from `known`; undefined if it does. */
export function gapAfter(known: number, { after, rows, through }: Stretch): string | undefined {
  if (after !== known)
    return `revocations after ${after} arrived, but the last known one is ${known}: some are missing in between`
  let last = after
  for (const { seq } of rows) {
    if (seq <= last || seq > through) return `revocation ${seq} came after ${last}, in a message through ${through}`
    last = seq
  }
  return through > after ? undefined : `a message contains nothing: after ${after}, through ${through}`
}
