/** What every kind of command is decided with, and the result of a decision. */
import type { Entropy } from '../../shared/clock.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { AuthorityMoment } from '../freshness/authority-time.ts'
import type { AuditEntry } from './audit.ts'
import type { CommandAnswer } from './commands.ts'
import type { Row } from './rows.ts'
import type { UnrecordedRate } from './unrecorded.ts'

/** Time, entropy and keys of one decision. */
export interface DecisionContext extends AuthorityMoment {
  readonly entropy: Entropy
  readonly unrecorded: UnrecordedRate
  /** Key-encryption keys at hand; a rotation seals with the first. */
  readonly ring: readonly Kek[]
}

/** Rows to write, in order, the caller's answer, and the audit record of the command. */
export interface Decision {
  readonly rows: readonly Row[]
  readonly answer: CommandAnswer
  readonly audit: AuditEntry
}
