/**
 * One entry of the log of revocations: on the stream, in journals, and as it is read from pages. What a kind means never
 * changes: another meaning is another kind, and a node that does not know it says nothing of any token until it is upgraded
 * (V7). Fields that a kind has beyond these are passed over.
 */
import { orgName } from '../ids.ts'
import { z } from 'zod'
import { SUBJECT_BYTES_MAX } from '../limits.ts'

interface Numbered {
  readonly seq: number
  /** Unix seconds after which nothing that it names can live; 0 for never. */
  readonly expiresAt: number
}

/** One token, with everything made from it. */
export interface TokenRevocation extends Numbered {
  readonly kind: 'token'
  readonly kid: string
  readonly nonce: string
  /** The record was not what its kind says, except for the name of the token: that one is denied, and people are told. */
  readonly poison?: true
}

/** Every token of a subject of an org that was issued up to then, that millisecond included. */
export interface SubjectRevocation extends Numbered {
  readonly kind: 'subject'
  readonly org: string
  readonly subject: string
  /** Unix milliseconds. */
  readonly untilMs: number
}

/** Every token of an org that was issued up to then. */
export interface OrgRevocation extends Numbered {
  readonly kind: 'org'
  readonly org: string
  readonly untilMs: number
}

/** Every token of one root key. */
export interface KeyRetirement extends Numbered {
  readonly kind: 'key'
  readonly org: string
  readonly kid: string
}

/** Every token of an org, whenever it was issued. */
export interface OrgDisabling extends Numbered {
  readonly kind: 'org_disabled'
  readonly org: string
}

export type KnownRevocation = TokenRevocation | SubjectRevocation | OrgRevocation | KeyRetirement | OrgDisabling
export type RevocationKind = KnownRevocation['kind']

/** What a newer version wrote, or what names nothing that could be denied. */
export interface UnknownRevocation {
  readonly kind: 'unknown'
  readonly seq: number
  /** As it came, so that it can be passed on and kept. */
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

/** Undefined for what is no entry of a log at all: without number and kind. */
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

/** What is sent, and written into journals. */
export function recordOf(row: RevocationRow): object {
  return row.kind === 'unknown' ? row.record : row
}

/** For people: why a node says nothing of any token. */
export function notUnderstood({ seq: number, record }: UnknownRevocation): string {
  const kind = String(record['kind']).slice(0, 64)
  return `revocation ${number} is of kind "${kind}", or of a form of it, which this version does not know: upgrade this node`
}
