/** Collects the revocations that a replica knows: from its answers while it runs, or from the journal on its disk. */
import { z } from 'zod'
import { decodeJournal } from '../../replica/revocations/journal-records.ts'
import type { ProfileReplica } from '../../shared/config/profile.ts'
import type { RevocationColumns } from '../../shared/database/revocation-columns.ts'
import { keyOfRow } from '../../shared/database/revocation-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { ORG_CHARS_MAX, REASON_CHARS_MAX } from '../../shared/limits.ts'
import { parsePosition } from '../../shared/position.ts'
import { knownResult, type KnownResult } from '../../shared/protocol/known-revocations.ts'
import { rowOfDenial } from '../../shared/protocol/denials.ts'
import { notUnderstood, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { checkPosition } from '../../shared/protocol/signed-position.ts'
import type { RunningCluster } from '../admin.ts'
import type { Unsigned } from '../../shared/database/unsigned.ts'
import type { Evidence } from './evidence.ts'

const whole = z.number().int().nonnegative()

/** The columns of a revocation and their types. Texts have the length limits of a replica's own files. */
const revocationColumns = z.strictObject({
  kind: z.string(),
  org: z.string().max(ORG_CHARS_MAX),
  key: z.strictObject({ hex: z.string() }),
  at_ms: whole,
  expires_at: whole,
  actor: z.string().max(REASON_CHARS_MAX),
  reason: z.string().max(REASON_CHARS_MAX),
})

/** Looks up the org of a root key in the databases that were read: a replica's journal stores only the kid. */
export type OrgOfKey = (kid: string) => string | undefined

/** Asks a running replica, call by call, for all revocations that it knows. Throws protocol_violation, schema_newer. */
export async function evidenceOfReplica(
  { cluster, admin }: RunningCluster,
  replica: ProfileReplica,
  { orgOfKey, publicKey }: { readonly orgOfKey: OrgOfKey; readonly publicKey: Uint8Array | undefined },
): Promise<Evidence> {
  return admin(replica, async (call) => {
    const revocations: RevocationColumns[] = []
    const unread = new Set<string>()
    let answer: KnownResult | undefined
    let calls = 0
    for (let after: number | null = 0; after !== null;) {
      const before = answer
      answer = checked(await call('revocations.known', { after }))
      if ((calls += 1) > CALLS_MAX) throw endlessList()
      // If the replica changed its epoch between two answers, or had no pages at the first and has some now, ask again from the
      // start. Rows that come twice count once.
      after = before === undefined || epochOf(before) === epochOf(answer) ? answer.next : 0
      for (const text of answer.unread ?? []) unread.add(text)
      for (const columns of answer.rows) revocations.push(requireUnderstood(columns))
      for (const row of answer.journal) revocations.push(toColumns(row, orgOfKey))
    }
    const position = answer?.position ?? null
    const { issueClockMs = 0, leaseMsMax = 0 } = answer ?? {}
    const parsed = position === null ? undefined : parsePosition(position)
    const from = `replica ${replica.region}`
    const source = { kind: 'replica', peerId: replica.peer_id } as const
    const configured = answer?.configured ?? undefined
    const signed = publicKey && answer?.signed ? checkPosition(publicKey, cluster, answer.signed)?.position : undefined
    const reported = parsed && { stated: parsed, signed }
    const reportedFacts = {
      position: parsed,
      reported,
      revocations,
      issueClockMs,
      leaseMsMax,
      configured,
      unread: [...unread],
    }
    return { from, source, signed: false, cluster, database: undefined, ...reportedFacts }
  })
}

/** The revocations that a stopped replica acknowledged ahead of its pages. */
export function revocationsOfJournal(journal: Buffer, orgOfKey: OrgOfKey): readonly RevocationColumns[] {
  return decodeJournal(journal).parts.flatMap(({ rows }) => rows.map((row) => toColumns(row, orgOfKey)))
}

/** The revocations of a journal with their timeline, epoch and number. */
export function unsignedInJournal(journal: Buffer, orgOfKey: OrgOfKey): readonly Unsigned[] {
  return decodeJournal(journal).parts.flatMap(({ timeline, epoch, rows }) =>
    rows.map((row) => ({ timeline, epoch, seq: row.seq, columns: toColumns(row, orgOfKey) })),
  )
}

function epochOf({ position }: KnownResult): number | undefined {
  return position === null ? undefined : parsePosition(position).epoch
}

/** Enough for tens of millions of revocations. */
const CALLS_MAX = 100_000

function endlessList(): MacaroondError {
  return new MacaroondError('protocol_violation', `its list of revocations has no end after ${CALLS_MAX} answers`)
}

/** Throws protocol_violation. The PeerId is proven, but the program behind it may be broken or of another version. */
function checked(value: unknown): KnownResult {
  const result = knownResult.safeParse(value)
  if (result.success) return result.data
  throw new MacaroondError('protocol_violation', 'the answer of a replica is not a list of revocations', {
    hint: 'run the macaroond that the replica runs, or a newer one',
  })
}

/**
 * Checks a row from a replica, because no signature covers it: a row that no primary understands would prevent the restored
 * database from ever starting. Throws schema_newer; then this replica counts as one that was not read.
 */
export function requireUnderstood(columns: RevocationColumns): RevocationColumns {
  const row = rowOfDenial({ seq: 1, columns })
  const isWhole = revocationColumns.safeParse(columns).success && row.kind !== 'unknown' && !('poison' in row)
  if (isWhole) return columns
  throw new MacaroondError('schema_newer', 'it reports a revocation that this version does not understand', {
    hint: 'if it runs a newer macaroond, restore with that version; otherwise find out what is wrong with that replica',
  })
}

/** Throws schema_newer for a kind that this version does not know: the row must not be left out without a message. */
function toColumns(row: RevocationRow, orgOfKey: OrgOfKey): RevocationColumns {
  if (row.kind === 'unknown') throw new MacaroondError('schema_newer', notUnderstood(row))
  const { kind, expiresAt } = row
  const org = kind === 'token' ? (orgOfKey(row.kid) ?? '') : row.org
  const common = { at_ms: 0, expires_at: expiresAt, actor: 'replica', reason: 'known to a replica ahead of its pages' }
  return { kind, org, key: { hex: keyOfRow(row).toString('hex') }, ...common }
}
