/**
 * The authority's core: turns a command into rows and an answer. It changes only the state it is given; time, entropy and keys
 * are parameters. A command that cannot be carried out throws before it changes anything. The core does no I/O: the group
 * writer writes the rows.
 */
import { adopt, forget } from './adopt.ts'
import { type AuditEntry, nextAuditRow } from './audit.ts'
import type { CommandAnswer, Command, CommandOf } from './commands.ts'
import type { Decision, DecisionContext } from './decision.ts'
import { discharge } from './discharge.ts'
import { appendDueCutOff } from './due-cut-offs.ts'
import { exchange } from './exchange.ts'
import { noteArchive, noteConfiguration, raiseLease, settleEpoch } from './freshness.ts'
import { rotateKek } from './kek.ts'
import { mint } from './mint.ts'
import { createOrg, rotateKey } from './org.ts'
import { purge } from './purge.ts'
import { recall, remember, type Recalled } from './requests.ts'
import { disableOrg, retireKey, revokeIssued, revokeToken } from './revoke.ts'
import type { Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import { addThirdParty, removeThirdParty } from './third-party.ts'

/** If the wall clock differs from the authority's time by more than this, the audit record has both. */
const WALL_DIFFERENCE_MS_MAX = 1_000

export interface Outcome {
  readonly rows: readonly Row[]
  readonly answer: CommandAnswer
  /** Set if the request id is known: nothing was done now. */
  readonly carriedOut?: Recalled['carriedOut']
}

export function step(state: AuthorityState, command: Command, context: DecisionContext): Outcome {
  const recalled = recall(state, command)
  if (recalled !== undefined) return { rows: [], ...recalled }
  const { rows, answer, audit } = decide(state, command, context)
  const remembered = remember(state, command, answer, context)
  const row = nextAuditRow(state.audit, withWallTime(audit, context))
  state.audit = row
  return { rows: [...rows, ...remembered, { table: 'audit', row }], answer }
}

/** Adds the wall clock's time to the audit record if the authority's time differs from it or is in doubt. */
function withWallTime(audit: AuditEntry, { nowMs, wallMs, believed }: DecisionContext): AuditEntry {
  if (believed !== undefined && Math.abs(wallMs - nowMs) <= WALL_DIFFERENCE_MS_MAX) return audit
  return { ...audit, detail: { ...audit.detail, wallMs } }
}

function noteRefusal(
  _state: AuthorityState,
  { actor, message }: CommandOf<'replica.refused'>,
  { nowMs }: DecisionContext,
): Decision {
  const common = { atMs: nowMs, actor: actor.text, org: '', target: '' }
  return { rows: [], answer: { noted: true }, audit: { ...common, action: 'replica.refused', detail: { message } } }
}

function note(
  _state: AuthorityState,
  { actor, action, detail }: CommandOf<'audit.note'>,
  { nowMs }: DecisionContext,
): Decision {
  const audit = { atMs: nowMs, actor: actor.text, action, org: '', target: '', detail }
  return { rows: [], answer: { noted: true }, audit }
}

/** The function that decides each kind of command. */
const DECISIONS: {
  readonly [Kind in Command['kind']]: (
    state: AuthorityState,
    command: CommandOf<Kind>,
    context: DecisionContext,
  ) => Decision
} = {
  'org.create': createOrg,
  'key.rotate': rotateKey,
  'token.mint': mint,
  'token.revoke': revokeToken,
  'issued.revoke': revokeIssued,
  'key.retire': retireKey,
  'org.disable': disableOrg,
  'kek.rotate': rotateKek,
  'revocations.adopt': adopt,
  'revocations.forget': forget,
  'revocations.purge': purge,
  'token.discharge': discharge,
  'token.exchange': exchange,
  'third-party.add': addThirdParty,
  'third-party.remove': removeThirdParty,
  'lease.raise': raiseLease,
  'configuration.note': noteConfiguration,
  'archive.note': noteArchive,
  'epoch.settle': settleEpoch,
  'replica.refused': noteRefusal,
  'cut-off.again': appendDueCutOff,
  'audit.note': note,
}

function decide<Kind extends Command['kind']>(
  state: AuthorityState,
  command: CommandOf<Kind>,
  context: DecisionContext,
): Decision {
  return DECISIONS[command.kind](state, command, context)
}
