/**
 * The `revocations.known` call on a replica's `admin` channel, used by a restore: returns every revocation that this replica
 * has acknowledged and still has. It reads denials, then journal, then pages, which it compares with their checksum first. Rows
 * move towards the pages, so none is missed. They move back to the denials only when a history is undone; then the replica
 * begins the walk again.
 */
import { DURABILITY_LEVELS } from '../database/durability-level.ts'
import { z } from 'zod'
import type { Configured } from '../database/configured.ts'
import type { RevocationColumns } from '../database/revocation-columns.ts'
import { REPLICAS_REPORTED_MAX } from '../limits.ts'
import { signedPosition, type SignedPosition } from './signed-position.ts'
import { revocationRow, type RevocationRow } from '../verifier/revocation-row.ts'

export interface KnownParams {
  /** 0 first, then `next` of the last answer. Positive values are numbers in the pages, negative ones come before them. */
  readonly after: number
}

export const knownParams: z.ZodType<KnownParams> = z.strictObject({ after: z.number().int() })

export interface KnownResult {
  /** Position text of the pages; null without a database. */
  readonly position: string | null
  readonly issueClockMs: number
  /** The longest lease that was granted, by its pages. */
  readonly leaseMsMax: number
  /** Rows of the denials and the pages. */
  readonly rows: readonly RevocationColumns[]
  /** The replicas that may acknowledge revocations, by its pages; only for callers whose hello has `KNOWS_CONFIGURED`. */
  readonly configured?: Configured | null | undefined
  /** The newest position signed by the authority; only for callers whose hello has `KNOWS_SIGNED`. */
  readonly signed?: SignedPosition | null | undefined
  /** Rows of the journal. The pages may have the same revocation too. */
  readonly journal: readonly RevocationRow[]
  /** In words: parts of its files that it cannot read; only for callers whose hello has `KNOWS_UNREAD`. */
  readonly unread?: readonly string[] | undefined
  /** `after` of the next call; null if these were the last rows. */
  readonly next: number | null
}

/** The answer as it is sent, with the rows of the journal unparsed. */
export type KnownAnswer = Omit<KnownResult, 'journal'> & { readonly journal: readonly object[] }

const COLUMN_NAME = /^[a-z_]{1,64}$/
const HEX = /^(?:[0-9a-f]{2})*$/

/** Checks a row without a schema: there may be millions of rows, and a schema takes ten times as long. */
export function isRevocationColumns(value: unknown): value is RevocationColumns {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.entries(value).every(([name, column]) => COLUMN_NAME.test(name) && isColumn(column))
}

function isColumn(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'string' || isNumber(value) || value === null
  const { hex, ...rest } = value as Readonly<Record<string, unknown>>
  return typeof hex === 'string' && HEX.test(hex) && Object.keys(rest).length === 0
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value)
}

const configured: z.ZodType<Configured> = z.object({
  replicas: z.array(z.object({ peerId: z.string().max(128), region: z.string().max(64) })).max(REPLICAS_REPORTED_MAX),
  durability: z.enum(DURABILITY_LEVELS),
  degraded: z.boolean(),
})

/** Words for `understands` in a caller's hello on the `admin` channel. */
export const KNOWS_CONFIGURED = 'configured'
export const KNOWS_SIGNED = 'signed-position'
export const KNOWS_UNREAD = 'unread'

export const revocationColumns: z.ZodType<RevocationColumns> = z.custom<RevocationColumns>(isRevocationColumns)

export const knownResult: z.ZodType<KnownResult> = z.object({
  position: z.string().max(64).nullable(),
  issueClockMs: z.number().int().nonnegative(),
  leaseMsMax: z.number().int().nonnegative(),
  rows: z.array(revocationColumns),
  journal: z.array(revocationRow),
  configured: configured.nullish(),
  signed: signedPosition.nullish(),
  unread: z.array(z.string().max(1_000)).max(10).optional(),
  next: z.number().int().nullable(),
})
