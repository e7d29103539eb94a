/**
 * The `revocations.known` call on a replica's `admin` channel: every revocation that this replica has ever acknowledged and
 * still has, from its denials, its journal, and its pages, in this order, because rows move that way. A restore asks for it.
 */
import { DURABILITY_LEVELS } from '../database/meta.ts'
import { z } from 'zod'
import type { Configured } from '../database/configured.ts'
import type { RevocationColumns } from '../database/revocation-columns.ts'
import { REPLICAS_TOLD_MAX } from '../limits.ts'
import { signedPosition, type SignedPosition } from './signed-position.ts'
import { revocationRow, type RevocationRow } from '../verifier/revocation-row.ts'

export interface KnownParams {
  /** 0, and then what the answer before said: a number of the pages, or, below 0, a place before them. */
  readonly after: number
}

export const knownParams: z.ZodType<KnownParams> = z.strictObject({ after: z.number().int() })

export interface KnownResult {
  /** Position text of the pages; null without a database. */
  readonly position: string | null
  readonly issueClockMs: number
  /** The longest lease that its pages know to have been granted. */
  readonly leaseMsMax: number
  /** Of the denials and the pages. */
  readonly rows: readonly RevocationColumns[]
  /** Whom its pages name as those who may acknowledge revocations; sent to a caller whose hello names it. */
  readonly configured?: Configured | null | undefined
  /** The newest position that the authority signed; sent to a caller whose hello names it. */
  readonly signed?: SignedPosition | null | undefined
  /** From the journal; the same revocation may be among the rows of the pages. */
  readonly journal: readonly RevocationRow[]
  /** Pass it as `after` to go on; null when these were the last. */
  readonly next: number | null
}

/** As it is sent: rows of the journal as they lie there. */
export type KnownAnswer = Omit<KnownResult, 'journal'> & { readonly journal: readonly object[] }

const COLUMN_NAME = /^[a-z_]{1,64}$/
const HEX = /^(?:[0-9a-f]{2})*$/

/** By hand: there may be millions of rows, and a schema takes ten times as long for each. */
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
  replicas: z.array(z.object({ peerId: z.string().max(128), region: z.string().max(64) })).max(REPLICAS_TOLD_MAX),
  durability: z.enum(DURABILITY_LEVELS),
  degraded: z.boolean(),
})

/** In the hello of a caller on the `admin` channel: what it understands beyond the first version. */
export const KNOWS_CONFIGURED = 'configured'
export const KNOWS_SIGNED = 'signed-position'

export const revocationColumns: z.ZodType<RevocationColumns> = z.custom<RevocationColumns>(isRevocationColumns)

export const knownResult: z.ZodType<KnownResult> = z.object({
  position: z.string().max(64).nullable(),
  issueClockMs: z.number().int().nonnegative(),
  leaseMsMax: z.number().int().nonnegative(),
  rows: z.array(revocationColumns),
  journal: z.array(revocationRow),
  configured: configured.nullish(),
  signed: signedPosition.nullish(),
  next: z.number().int().nullable(),
})
