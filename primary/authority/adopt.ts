/**
 * Decides about denials: revocations of an undone history that replicas still enforce. The primary adopts some of them because
 * a replica reports them. The others wait until an operator adopts or forgets them. One broken replica must not be able to
 * revoke everything, so the primary limits which kinds, and how many, it adopts from a replica's report.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { type Kid, type Nonce, tokenId } from '../../shared/ids.ts'
import { ADOPTED_MAX, REASON_CHARS_MAX } from '../../shared/limits.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { WhyWaiting } from '../../shared/protocol/pending.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import { isCoveredByBroader } from '../../shared/verifier/cut-offs.ts'
import { isOutlived } from '../../shared/verifier/outlived.ts'
import type { CommandOf } from './commands.ts'
import { append } from './append.ts'
import { markRetired } from './revoke.ts'
import type { Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

type Adopt = CommandOf<'revocations.adopt'>
type Forget = CommandOf<'revocations.forget'>

/** `resolved`: nothing is left to do, because the row is in this history, covered, outlived or forgotten. */
export type DenialJudgement =
  | { readonly is: 'resolved' }
  | { readonly is: 'adoptable'; readonly row: KnownRevocation }
  | { readonly is: 'waiting'; readonly row: KnownRevocation | undefined; readonly why: WhyWaiting }

const RESOLVED: DenialJudgement = { is: 'resolved' }

/** Says what the primary may do with one denial that a replica reports. Changes nothing. */
export function judgeDenial(state: AuthorityState, denial: Denial): DenialJudgement {
  const row = rowOfDenial(denial)
  if (state.forgotten.has(denial)) return RESOLVED
  if (row.kind === 'unknown') return { is: 'waiting', row: undefined, why: 'unknown kind' }
  const { revocations, issue } = state
  const isHere = revocations.covers(row) || isCoveredByBroader(revocations.cutOffs, row, orgOf(state, row))
  if (isHere || isOutlived(row, issue.lastMs)) return RESOLVED
  const why = whyWaiting(state, denial, row)
  return why === undefined ? { is: 'adoptable', row } : { is: 'waiting', row, why }
}

function whyWaiting(state: AuthorityState, { timeline }: Denial, row: KnownRevocation): WhyWaiting | undefined {
  // A history that this database does not know may belong to any epoch, so it counts as the oldest.
  if ((state.epochs.get(timeline) ?? 0) < state.withoutRevocationsEpoch) return 'restored without revocations'
  if (row.kind === 'token') return undefined
  if (row.kind !== 'subject') return 'kind'
  return row.untilMs <= state.issue.lastMs ? undefined : 'later than the issue clock'
}

/** Judges each denial again inside the transaction, and skips one that may no longer be adopted. */
export function adopt(
  state: AuthorityState,
  { denials, expiries, from, actor }: Adopt,
  context: DecisionContext,
): Decision {
  const rows: Row[] = []
  const before = state.revocationSeq
  const room = from === undefined ? Infinity : ADOPTED_MAX - (state.adopted.get(from) ?? 0)
  for (const denial of denials) {
    const row = rowToAdopt(state, denial, { byOperator: from === undefined, context })
    if (row === undefined || state.revocationSeq - before >= room) continue
    const org = orgOf(state, row)
    rows.push(...append(state, unnumbered(row, expiries), { org, actor, reason: reasonOf(denial) }, context).rows)
    rows.push(...applyToKeysAndOrgs(state, row))
  }
  const adopted = state.revocationSeq - before
  if (from !== undefined && adopted > 0) rows.push(countAdopted(state, from, adopted))
  const target = adopted === 0 ? '' : `${before + 1}-${state.revocationSeq}`
  const detail = {
    adopted,
    from: from ?? '',
    timelines: [...new Set(denials.map(({ timeline }) => timeline))].join(' '),
  }
  return {
    rows,
    answer: { adopted, seq: state.revocationSeq },
    audit: { atMs: context.nowMs, actor: actor.text, action: 'revocations.adopt', org: '', target, detail },
  }
}

/**
 * Throws request_invalid for the present history: only revocations of an undone history can be forgotten. Throws
 * epoch_unsettled.
 */
export function forget(state: AuthorityState, { ranges, reason, actor }: Forget, { nowMs }: DecisionContext): Decision {
  if (ranges.some(({ timeline }) => timeline === state.timeline)) {
    throw new MacaroondError('request_invalid', 'this primary leads that history, so none of it is undone', {
      hint: '`macaroond revocations pending` lists the revocations that can be forgotten',
    })
  }
  requireEpochSettled(state)
  for (const range of ranges) state.forgotten.add(range)
  const named = ranges.map(({ timeline, first, last }) => `${timeline}:${first}-${last}`)
  const numbers = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  const detail = { numbers, ranges: named.join(' '), reason }
  return {
    rows: ranges.map((range) => ({ table: 'forgotten', row: { ...range, atMs: nowMs, actor: actor.text, reason } })),
    answer: { ranges: ranges.length },
    audit: { atMs: nowMs, actor: actor.text, action: 'revocations.forget', org: '', target: '', detail },
  }
}

/**
 * Before the epoch has settled, a primary of an earlier epoch may still lead one of those histories. It could acknowledge a
 * revocation there under a number that was forgotten here, and a replica that joins later would accept the token.
 */
function requireEpochSettled({ epoch, settledEpoch }: AuthorityState): void {
  if (settledEpoch >= epoch) return
  throw new MacaroondError(
    'epoch_unsettled',
    `nothing was forgotten: not every replica has joined epoch ${epoch} yet`,
    {
      hint: 'wait for the replicas, or remove those that are gone from the configuration; or, if no other primary of this cluster runs any more, start this one with --old-primary-stopped',
    },
  )
}

interface Adopting {
  readonly byOperator: boolean
  readonly context: DecisionContext
}

/**
 * The row to append, or undefined. An operator may also adopt a waiting denial, except a cut-off in the future: the issue
 * clock moves past each cut-off, so no token could be minted until that time.
 */
function rowToAdopt(
  state: AuthorityState,
  denial: Denial,
  { byOperator, context }: Adopting,
): KnownRevocation | undefined {
  const judged = judgeDenial(state, denial)
  if (judged.is === 'adoptable') return judged.row
  if (judged.is === 'resolved' || !byOperator || judged.row === undefined) return undefined
  const latestMs = Math.max(context.nowMs, state.issue.lastMs)
  return 'untilMs' in judged.row && judged.row.untilMs > latestMs ? undefined : judged.row
}

/** The rows of keys and orgs that change with an adopted revocation. Moves the issue clock past a cut-off. */
function applyToKeysAndOrgs(state: AuthorityState, row: KnownRevocation): readonly Row[] {
  if ('untilMs' in row && row.untilMs >= state.issue.lastMs) state.issue = resumeNonces(row.untilMs)
  if (row.kind === 'key' && state.keys.get(row.kid as Kid)?.org === row.org) {
    markRetired(state, row.kid as Kid)
    return [{ table: 'root_keys retired', row: { kid: row.kid as Kid } }]
  }
  const org = row.kind === 'org_disabled' ? state.orgs.get(row.org) : undefined
  if (org === undefined) return []
  state.orgs.set(org.name, { ...org, state: 'disabled' })
  state.keyGeneration += 1
  return [{ table: 'orgs disabled', row: { name: org.name } }]
}

function countAdopted(state: AuthorityState, peerId: string, adopted: number): Row {
  const revocations = (state.adopted.get(peerId) ?? 0) + adopted
  state.adopted.set(peerId, revocations)
  return { table: 'adoptions', row: { peerId, epoch: state.epoch, revocations } }
}

/** For a token it is the org of the key, because the primary does not trust the org that a replica reports. */
function orgOf({ keys }: AuthorityState, row: KnownRevocation): string {
  return row.kind === 'token' ? (keys.get(row.kid as Kid)?.org ?? '') : row.org
}

/**
 * The row without its number, with the expiry from our own record of the mint. The primary does not take the expiry from a
 * replica: a row with too early an expiry would be purged while its token is still valid. Without a record the expiry is 0,
 * which keeps the row for ever.
 */
function unnumbered({ seq: _, ...named }: KnownRevocation, expiries: Adopt['expiries']): Parameters<typeof append>[1] {
  const expiresAt = named.kind === 'token' ? expiries?.get(tokenId(named.kid as Kid, named.nonce as Nonce)) : undefined
  return { ...named, expiresAt: expiresAt ?? 0 }
}

function reasonOf({ epoch, seq, columns }: Denial): string {
  const { reason } = columns
  const text = `adopted (epoch ${epoch}, ${seq}): ${typeof reason === 'string' ? reason : ''}`
  return text.slice(0, REASON_CHARS_MAX)
}
