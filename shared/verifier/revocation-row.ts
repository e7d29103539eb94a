/**
 * One row of the log of revocations, in the same form on the stream, in journals and in database pages. The meaning of a kind
 * never changes: a new meaning needs a new kind. A node that meets an unknown kind gives no verdicts until it is upgraded
 * (V7). Unknown fields of a known kind are ignored.
 */
import { orgName } from '../id-schemas.ts'
import { z } from 'zod'
import { SUBJECT_BYTES_MAX } from '../limits.ts'

interface Numbered {
  readonly seq: number
  /** Unix seconds after which no named token can live; 0 for never. */
  readonly expiresAt: number
}

/** Denies one token, and every token made from it. */
export interface TokenRevocation extends Numbered {
  readonly kind: 'token'
  readonly kid: string
  readonly nonce: string
  /** True if the record was malformed except for the id of the token. The token is denied, and an alarm is raised. */
  readonly poison?: true
}

/** Denies every token of a subject of an org that was issued at `untilMs` or earlier. */
export interface SubjectRevocation extends Numbered {
  readonly kind: 'subject'
  readonly org: string
  readonly subject: string
  /** Unix milliseconds of issue, included. */
  readonly untilMs: number
}

/** Denies every token of an org that was issued at `untilMs` or earlier. */
export interface OrgRevocation extends Numbered {
  readonly kind: 'org'
  readonly org: string
  readonly untilMs: number
}

/** Denies every token of one root key. */
export interface KeyRetirement extends Numbered {
  readonly kind: 'key'
  readonly org: string
  readonly kid: string
}

/** Denies every token of an org, whenever it was issued. */
export interface OrgDisabling extends Numbered {
  readonly kind: 'org_disabled'
  readonly org: string
}

export type KnownRevocation = TokenRevocation | SubjectRevocation | OrgRevocation | KeyRetirement | OrgDisabling
export type RevocationKind = KnownRevocation['kind']

/** A row of a kind that only a newer version knows, or one that names nothing to deny. */
export interface UnknownRevocation {
  readonly kind: 'unknown'
  readonly seq: number
  /** The record as received, so that it can be forwarded and stored unchanged. */
  readonly record: Readonly<Record<string, unknown>>
}

export type RevocationRow = KnownRevocation | UnknownRevocation

const seq = z.number().int().positive()
const common = { seq, expiresAt: z.number().int().nonnegative() }
const kid = z.string().regex(/^[0-9a-f]{16}$/)
const nonce = z.string().regex(/^[0-9a-f]{32}$/)
const org = orgName
const untilMs = z.number().int().nonnegative()
const subject = z.string().max(SUBJECT_BYTES_MAX)

const knownRow = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('token'), kid, nonce }),
  z.object({ ...common, kind: z.literal('subject'), org, subject, untilMs }),
  z.object({ ...common, kind: z.literal('org'), org, untilMs }),
  z.object({ ...common, kind: z.literal('key'), org, kid }),
  z.object({ ...common, kind: z.literal('org_disabled'), org }),
])

const namesOneToken = z.object({ seq, kind: z.literal('token'), kid, nonce })
const numbered = z.looseObject({ seq, kind: z.string() })

/** Undefined if the value is no row at all, because it lacks a number or a kind. */
export function readRevocation(value: unknown): RevocationRow | undefined {
  const known = knownRow.safeParse(value)
  if (known.success) return known.data
  const token = namesOneToken.safeParse(value)
  if (token.success) return { ...token.data, expiresAt: 0, poison: true }
  const record = numbered.safeParse(value)
  return record.success ? { kind: 'unknown', seq: record.data.seq, record: record.data } : undefined
}

export const revocationRow: z.ZodType<RevocationRow> = z.unknown().transform((value, context) => {
  const row = readRevocation(value)
  if (row !== undefined) return row
  context.addIssue({ code: 'custom', message: 'not a revocation: it lacks its number or its kind' })
  return z.NEVER
})

/** The form in which a row is sent, and written into journals. */
export function recordOf(row: RevocationRow): object {
  return row.kind === 'unknown' ? row.record : row
}

/** The message for an operator: why a node gives no verdicts. */
export function notUnderstood({ seq: number, record }: UnknownRevocation): string {
  const kind = String(record['kind']).slice(0, 64)
  return `revocation ${number} is of kind "${kind}", or of a form of it, which this version does not know: upgrade this node`
}
