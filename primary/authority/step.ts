/**
 * The authority's core: a command and the time in, rows and an answer out. It reads and changes nothing but the state it
 * is given; entropy comes as a parameter. A command that cannot be done throws before it has changed anything.
 */
import type { Entropy } from '../../shared/clock.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { AuthorityMoment } from '../freshness/authority-time.ts'
import { adopt, forget } from './adopt.ts'
import { nextAuditRow, type AuditEntry } from './audit.ts'
import type { Answer, Command } from './commands.ts'
import { discharge } from './discharge.ts'
import { repeatCutOff } from './due-cut-offs.ts'
import { exchange } from './exchange.ts'
import { noteConfiguration, raiseLease, settleEpoch } from './freshness.ts'
import { rotateKek } from './kek.ts'
import { mint } from './mint.ts'
import { createOrg, rotateKey } from './org.ts'
import { purge } from './purge.ts'
import { recall, remember, type Recalled } from './requests.ts'
import { disableOrg, retireKey, revokeIssued, revokeToken } from './revoke.ts'
import type { Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import { addThirdParty, removeThirdParty } from './third-party.ts'
import type { UnrecordedRate } from './unrecorded.ts'

/** Time and entropy of one decision. */
export interface Moment extends AuthorityMoment {
  readonly entropy: Entropy
  readonly unrecorded: UnrecordedRate
  /** Key-encryption keys at hand; a rotation seals with the first. */
  readonly ring: readonly Kek[]
}

/** A wall clock that is further than this from the authority's time is written down. */
const WALL_TOLD_MS = 1_000

export interface Decision {
  readonly rows: readonly Row[]
  readonly answer: Answer
  readonly audit: AuditEntry
}

export interface Outcome {
  readonly rows: readonly Row[]
  readonly answer: Answer
  /** Set when the request was carried out before: nothing was done now. */
  readonly carriedOut?: Recalled['carriedOut']
}

export function step(state: AuthorityState, command: Command, moment: Moment): Outcome {
  const recalled = recall(state, command)
  if (recalled !== undefined) return { rows: [], ...recalled }
  const { rows, answer, audit } = decide(state, command, moment)
  const remembered = remember(state, command, answer, moment)
  const row = nextAuditRow(state.audit, withWallTime(audit, moment))
  state.audit = row
  return { rows: [...rows, ...remembered, { table: 'audit', row }], answer }
}

/** The clock's own word is a detail of the audit, where it is not what the authority goes by. */
function withWallTime(audit: AuditEntry, { nowMs, wallMs, believed }: Moment): AuditEntry {
  if (believed !== undefined && Math.abs(wallMs - nowMs) <= WALL_TOLD_MS) return audit
  return { ...audit, detail: { ...audit.detail, wallMs } }
}

function noteRefusal({ actor, message }: Extract<Command, { kind: 'replica.refused' }>, moment: Moment): Decision {
  const common = { atMs: moment.nowMs, actor: actor.text, org: '', target: '' }
  return { rows: [], answer: { noted: true }, audit: { ...common, action: 'replica.refused', detail: { message } } }
}

function note({ actor, action, detail }: Extract<Command, { kind: 'audit.note' }>, moment: Moment): Decision {
  const audit = { atMs: moment.nowMs, actor: actor.text, action, org: '', target: '', detail }
  return { rows: [], answer: { noted: true }, audit }
}

function decide(state: AuthorityState, command: Command, moment: Moment): Decision {
  switch (command.kind) {
    case 'org.create':
      return createOrg(state, command, moment)
    case 'key.rotate':
      return rotateKey(state, command, moment)
    case 'token.mint':
      return mint(state, command, moment)
    case 'token.revoke':
      return revokeToken(state, command, moment)
    case 'issued.revoke':
      return revokeIssued(state, command, moment)
    case 'key.retire':
      return retireKey(state, command, moment)
    case 'org.disable':
      return disableOrg(state, command, moment)
    case 'kek.rotate':
      return rotateKek(state, command, moment)
    case 'revocations.adopt':
      return adopt(state, command, moment)
    case 'revocations.forget':
      return forget(state, command, moment)
    case 'revocations.purge':
      return purge(state, command, moment)
    case 'token.discharge':
      return discharge(state, command, moment)
    case 'token.exchange':
      return exchange(state, command, moment)
    case 'third-party.add':
      return addThirdParty(state, command, moment)
    case 'third-party.remove':
      return removeThirdParty(state, command, moment)
    case 'lease.raise':
      return raiseLease(state, command, moment)
    case 'configuration.note':
      return noteConfiguration(state, command, moment)
    case 'epoch.settle':
      return settleEpoch(state, command, moment)
    case 'replica.refused':
      return noteRefusal(command, moment)
    case 'cut-off.again':
      return repeatCutOff(state, command, moment)
    case 'audit.note':
      return note(command, moment)
  }
}
