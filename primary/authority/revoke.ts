/**
 * Appends to the log of revocations: one token, what was issued up to a time, a root key, an org. The org is the key's or the
 * one that is named: a row acts inside its org only. What is denied already in the same way gets no second row.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { type Kid, tokenId } from '../../shared/ids.ts'
import { SUBJECT_BYTES_MAX } from '../../shared/limits.ts'
import { resumeNonces } from '../../shared/macaroon/nonce.ts'
import { encodeUtf8 } from '../../shared/macaroon/utf8.ts'
import type { KnownRevocation } from '../../shared/protocol/revocation-row.ts'
import type { CutOff } from '../../shared/verifier/cut-offs.ts'
import type { AuditEntry } from './audit.ts'
import type { Command } from './commands.ts'
import { knownOrg, olderKey, withoutKey } from './org.ts'
import type { Row } from './rows.ts'
import { type AuthorityState, newestOf, noteNewest } from './state.ts'
import type { Decision, Moment } from './step.ts'

type Of<K extends Command['kind']> = Extract<Command, { kind: K }>
type Unnumbered<T> = T extends unknown ? Omit<T, 'seq'> : never

export function revokeToken(state: AuthorityState, command: Of<'token.revoke'>, moment: Moment): Decision {
  const { kid, nonce, expiresAt, recorded } = command
  const key = state.keys.get(kid)
  if (key === undefined) {
    throw new MacaroondError('key_unknown', `no org of this authority has a key ${kid}`, {
      hint: 'a token id is <kid>.<nonce>; check that it comes from this cluster',
    })
  }
  const { org } = key
  const appended = append(state, { kind: 'token', kid, nonce, expiresAt }, { ...command, org }, moment)
  const { rows, seq, already } = appended
  const id = tokenId(kid, nonce)
  return {
    rows,
    answer: { kind: 'token', id, org, seq, already, matched: recorded ? 'recorded' : 'unrecorded' },
    audit: auditOf({ ...command, org }, appended, moment, { target: id, detail: { recorded } }),
  }
}

/** Tokens minted after it are of a later time, so it hits none of them. Throws org_unknown, request_invalid. */
export function revokeIssued(state: AuthorityState, command: Of<'issued.revoke'>, moment: Moment): Decision {
  const { org, subject, tokens } = command
  knownOrg(state, org)
  if (subject !== undefined) checkSubject(subject)
  const wantedMs = untilOf(state, command, moment)
  const named = subject === undefined ? { kind: 'org' as const, org } : { kind: 'subject' as const, org, subject }
  const untilMs = inForce(state, { ...named, seq: 0, untilMs: wantedMs, expiresAt: 0 }) ?? wantedMs
  const appended = append(state, { ...named, untilMs, expiresAt: 0 }, command, moment)
  const { rows, seq, already } = appended
  if (untilMs >= state.issue.lastMs) state.issue = resumeNonces(untilMs)
  return {
    rows,
    answer: { ...named, untilMs, seq, already, tokens },
    audit: auditOf(command, appended, moment, { target: subject ?? org, detail: { untilMs } }),
  }
}

/** Throws org_unknown, key_unknown, request_invalid. */
export function retireKey(state: AuthorityState, command: Of<'key.retire'>, moment: Moment): Decision {
  const { org, kid, unnamed = false, tokens } = command
  const { name } = knownOrg(state, org)
  if (unnamed && olderKey(state, org) !== kid) throw keysChanged(org)
  const key = state.keys.get(kid)
  if (key?.org !== name) throw withoutKey(org, kid)
  const appended = append(state, { kind: 'key', org, kid, expiresAt: 0 }, command, moment)
  const { rows, seq, already } = appended
  const mints = already ? knownOrg(state, org).activeKid : retired(state, kid)
  const change: readonly Row[] = already ? [] : [{ table: 'root_keys retired', row: { kid } }]
  return {
    rows: [...rows, ...change],
    answer: { kind: 'key', org, kid, mints: mints ?? null, seq, already, tokens },
    audit: auditOf(command, appended, moment, { target: kid, detail: {} }),
  }
}

/** Throws org_unknown. */
export function disableOrg(state: AuthorityState, command: Of<'org.disable'>, moment: Moment): Decision {
  const { org: name, tokens } = command
  const org = knownOrg(state, name)
  const appended = append(state, { kind: 'org_disabled', org: name, expiresAt: 0 }, command, moment)
  const { rows, seq, already } = appended
  if (!already) {
    state.orgs.set(name, { ...org, state: 'disabled' })
    state.keyGeneration += 1
  }
  const change: readonly Row[] = already ? [] : [{ table: 'orgs disabled', row: { name } }]
  return {
    rows: [...rows, ...change],
    answer: { kind: 'org_disabled', org: name, seq, already, tokens },
    audit: auditOf(command, appended, moment, { target: name, detail: {} }),
  }
}

interface Appended {
  readonly seq: number
  readonly already: boolean
  readonly rows: readonly Row[]
}

interface Why {
  readonly org: string
  readonly actor: { readonly text: string }
  readonly reason: string
}

function append(
  state: AuthorityState,
  named: Unnumbered<KnownRevocation>,
  { org, actor, reason }: Why,
  { wallMs }: Moment,
): Appended {
  const revocation = { ...named, seq: state.revocationSeq + 1 }
  if (state.revocations.covers(revocation)) {
    // The row that covers it acts in this org, so it is none after the newest of it: whoever waits for that waits for it too.
    return { seq: newestOf(state, org) ?? state.revocationSeq, already: true, rows: [] }
  }
  state.undo.push(state.revocations.takeUndoably(revocation), noteNewest(state.newest, revocation))
  state.revocationSeq = revocation.seq
  const row = { revocation, org, atMs: wallMs, actor: actor.text, reason }
  return { seq: revocation.seq, already: false, rows: [{ table: 'revocations', row }] }
}

function auditOf(
  { kind, org, actor, reason }: Why & Pick<Command, 'kind'>,
  { seq, already }: Appended,
  { wallMs }: Moment,
  { target, detail }: Pick<AuditEntry, 'target' | 'detail'>,
): AuditEntry {
  return { atMs: wallMs, actor: actor.text, action: kind, org, target, detail: { seq, already, reason, ...detail } }
}

function keysChanged(org: string): MacaroondError {
  return new MacaroondError('request_invalid', `the keys of org ${org} have changed since this was asked`, {
    hint: '`macaroond org list` shows them; ask again, or name the key',
  })
}

/** Another one is no token's. */
function checkSubject(subject: string): void {
  const bytes = encodeUtf8(subject)?.length ?? 0
  if (bytes > 0 && bytes <= SUBJECT_BYTES_MAX) return
  throw new MacaroondError('request_invalid', `a subject is text of 1 to ${SUBJECT_BYTES_MAX} bytes of UTF-8`)
}

/** At least the last time of issue, which the wall clock may be behind of. */
function untilOf(state: AuthorityState, { untilMs }: Of<'issued.revoke'>, { wallMs }: Moment): number {
  const nowMs = Math.max(Math.floor(wallMs), state.issue.lastMs)
  if (untilMs === undefined) return nowMs
  if (untilMs <= nowMs) return untilMs
  throw new MacaroondError('request_invalid', 'what will be issued in the future cannot be revoked yet', {
    hint: 'leave the time out to revoke all that was issued up to now',
  })
}

/** A cut-off that hits all there can be hit up to then: nothing was minted since. */
function inForce({ revocations, issue }: AuthorityState, cutOff: CutOff): number | undefined {
  const reach = revocations.cutOffs.reach(cutOff)
  return reach !== undefined && reach >= issue.lastMs ? reach : undefined
}

/** The key that mints now. */
function retired(state: AuthorityState, kid: Kid): Kid | undefined {
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
