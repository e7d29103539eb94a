/**
 * A part of the log of revocations, as it is sent and handed on. Numbers in it that no row has were purged: what they named
 * can hit nothing any more. So a stretch says where it begins and ends, and stretches follow each other without a gap.
 */
import { z } from 'zod'
import { revocationRow, type RevocationRow } from '../verifier/revocation-row.ts'

/** Rows in one message; 500 rows are about 60 KB. */
export const REVOCATIONS_A_MESSAGE = 500

export interface Stretch {
  /** Everything up to this revocation came before. */
  readonly after: number
  /** In order; none when all of it was purged. */
  readonly rows: readonly RevocationRow[]
  /** All that still counts up to this revocation has come with this. */
  readonly through: number
}

export interface Revoked extends Stretch {
  readonly t: 'revoked'
}

/** As a message. */
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

/** Why it does not go on where everything up to `known` is known; undefined when it does. */
export function gapAfter(known: number, { after, rows, through }: Stretch): string | undefined {
  if (after !== known)
    return `revocations after ${after} came where ${known} was the last: something is missing between`
  let last = after
  for (const { seq } of rows) {
    if (seq <= last || seq > through) return `revocation ${seq} came after ${last}, in a message through ${through}`
    last = seq
  }
  return through > after ? undefined : `a message without an end: after ${after}, through ${through}`
}
