/**
 * The four ways to revoke: one token, everything issued up to a time, a root key, an org. Each appends a row to the log of
 * revocations. A row applies inside one org only: the org of the key, or the org that the command names. A revocation that a
 * row of the same kind already covers gets no second row.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { type Kid, tokenId } from '../../shared/ids.ts'
import { SUBJECT_BYTES_MAX } from '../../shared/limits.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { encodeUtf8 } from '../../shared/macaroon/utf8.ts'
import { append, type Appended, type Attribution } from './append.ts'
import type { AuditEntry } from './audit.ts'
import type { Command, CommandOf } from './commands.ts'
import { TIME_OF_REQUEST, deferCutOff } from './due-cut-offs.ts'
import { knownOrg, olderKey, noSuchKey } from './org.ts'
import type { Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'
import { checkPlausible } from './unrecorded.ts'

/** Throws key_unknown; request_invalid and overloaded for an id whose mint is not on record. */
export function revokeToken(
  state: AuthorityState,
  command: CommandOf<'token.revoke'>,
  context: DecisionContext,
): Decision {
  const { kid, nonce, expiresAt, recorded } = command
  const key = state.keys.get(kid)
  if (key === undefined) {
    throw new MacaroondError('key_unknown', `no org of this authority has a key ${kid}`, {
      hint: 'a token id is <kid>.<nonce>; check that it comes from this cluster',
    })
  }
  const { org } = key
  if (!recorded && command.proven !== true) {
    checkPlausible(nonce, key, state, context.believed?.latestMs)
    // A token that is revoked already gets no row, so it does not count against the rate.
    if (!state.revocations.revoked(kid, nonce)) context.unrecorded.spend(org)
  }
  const appended = append(state, { kind: 'token', kid, nonce, expiresAt }, { ...command, org }, context)
  const { rows, seq, already } = appended
  const id = tokenId(kid, nonce)
  return {
    rows,
    answer: { kind: 'token', id, org, seq, already, matched: recorded ? 'recorded' : 'unrecorded' },
    audit: auditOf({ ...command, org }, appended, context, { target: id, detail: { recorded } }),
  }
}

/** Appends a cut-off. The issue clock moves past it, so it applies to no later token. Throws org_unknown, request_invalid. */
export function revokeIssued(
  state: AuthorityState,
  command: CommandOf<'issued.revoke'>,
  context: DecisionContext,
): Decision {
  const { org, subject } = command
  knownOrg(state, org)
  if (subject !== undefined) checkSubject(subject)
  const { untilMs, later } = untilOf(state, command, context)
  const named = subject === undefined ? { kind: 'org' as const, org } : { kind: 'subject' as const, org, subject }
  const appended = append(state, { ...named, untilMs, expiresAt: 0 }, command, context)
  const { rows, seq, already } = appended
  if (untilMs >= state.issue.lastMs) state.issue = resumeNonces(untilMs)
  const due = later === undefined ? [] : deferCutOff(state, { ...named, untilMs: later }, command, context)
  const doubted = later === undefined ? {} : { clockInDoubt: true as const }
  return {
    rows: [...rows, ...due],
    answer: { ...named, untilMs, seq, already, ...doubted },
    audit: auditOf(command, appended, context, { target: subject ?? org, detail: { untilMs, ...doubted } }),
  }
}

/** Throws org_unknown, key_unknown, request_invalid. */
export function retireKey(state: AuthorityState, command: CommandOf<'key.retire'>, context: DecisionContext): Decision {
  const { org, kid, unnamed = false } = command
  const { name } = knownOrg(state, org)
  if (unnamed && olderKey(state, org) !== kid) throw keysChanged(org)
  const key = state.keys.get(kid)
  if (key?.org !== name) throw noSuchKey(org, kid)
  const appended = append(state, { kind: 'key', org, kid, expiresAt: 0 }, command, context)
  const { rows, seq, already } = appended
  const mints = already ? knownOrg(state, org).activeKid : markRetired(state, kid)
  const change: readonly Row[] = already ? [] : [{ table: 'root_keys retired', row: { kid } }]
  return {
    rows: [...rows, ...change],
    answer: { kind: 'key', org, kid, mints: mints ?? null, seq, already },
    audit: auditOf(command, appended, context, { target: kid, detail: {} }),
  }
}

/** Throws org_unknown. */
export function disableOrg(
  state: AuthorityState,
  command: CommandOf<'org.disable'>,
  context: DecisionContext,
): Decision {
  const { org: name } = command
  const org = knownOrg(state, name)
  const appended = append(state, { kind: 'org_disabled', org: name, expiresAt: 0 }, command, context)
  const { rows, seq, already } = appended
  if (!already) {
    state.orgs.set(name, { ...org, state: 'disabled' })
    state.keyGeneration += 1
  }
  const change: readonly Row[] = already ? [] : [{ table: 'orgs disabled', row: { name } }]
  return {
    rows: [...rows, ...change],
    answer: { kind: 'org_disabled', org: name, seq, already },
    audit: auditOf(command, appended, context, { target: name, detail: {} }),
  }
}

function auditOf(
  { kind, org, actor, reason }: Attribution & Pick<Command, 'kind'>,
  { seq, already }: Appended,
  { nowMs }: DecisionContext,
  { target, detail }: Pick<AuditEntry, 'target' | 'detail'>,
): AuditEntry {
  return { atMs: nowMs, actor: actor.text, action: kind, org, target, detail: { seq, already, reason, ...detail } }
}

function keysChanged(org: string): MacaroondError {
  return new MacaroondError('request_invalid', `the keys of org ${org} have changed since this request`, {
    hint: '`macaroond org list` shows them; repeat the request, or name the key',
  })
}

/** Refuses a subject that no token can have. Throws request_invalid. */
function checkSubject(subject: string): void {
  const bytes = encodeUtf8(subject)?.length ?? 0
  if (bytes > 0 && bytes <= SUBJECT_BYTES_MAX) return
  throw new MacaroondError('request_invalid', `a subject is text of 1 to ${SUBJECT_BYTES_MAX} bytes of UTF-8`)
}

interface Until {
  readonly untilMs: number
  /** Set if the request reaches beyond `untilMs`: the time for the due cut-off, or `TIME_OF_REQUEST`. */
  readonly later?: number | undefined
}

/**
 * The time of the cut-off. If the caller names none, it is now, or the last mint if that is later: the authority's time may be
 * behind the issue clock. It is now even if a cut-off is in force and nothing was minted since: a restore may have lost mints,
 * and before the epoch settles an old primary may still mint. While the clock is in doubt the cut-off is at most the last mint:
 * this covers everything that this authority has minted, and the rest of the request becomes a due cut-off. Throws
 * request_invalid for a time in the future.
 */
function untilOf(
  { issue }: AuthorityState,
  { untilMs: named }: CommandOf<'issued.revoke'>,
  { nowMs, believed }: DecisionContext,
): Until {
  const latestMs = believed === undefined ? issue.lastMs : Math.max(nowMs, issue.lastMs)
  if (named !== undefined && named <= latestMs) return { untilMs: named }
  if (believed === undefined) return { untilMs: latestMs, later: named ?? TIME_OF_REQUEST }
  if (named === undefined) return { untilMs: latestMs }
  throw new MacaroondError('request_invalid', 'tokens that will be issued in the future cannot be revoked yet', {
    hint: 'leave the time out to revoke everything issued up to now',
  })
}

/** Marks the key as retired in the state, and returns the key that mints now; undefined if none is left. */
export function markRetired(state: AuthorityState, kid: Kid): Kid | undefined {
  const key = state.keys.get(kid)
  const org = key && state.orgs.get(key.org)
  if (key === undefined || org === undefined) return undefined
  state.keys.set(kid, { ...key, state: 'retired' })
  const active = [...state.keys.values()].filter((one) => one.org === key.org && one.state === 'active')
  const activeKid = active.toSorted((a, b) => a.generation - b.generation).at(-1)?.kid
  state.orgs.set(org.name, { ...org, activeKid })
  state.keyGeneration += 1
  return activeKid
}
