/**
 * The input and the result of every decision. They have a file of their own, because every function that `step.ts` calls needs
 * them.
 */
import type { Entropy } from '../../shared/clock.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { AuthorityMoment } from '../freshness/authority-time.ts'
import type { AuditEntry } from './audit.ts'
import type { CommandAnswer } from './commands.ts'
import type { Row } from './rows.ts'
import type { UnrecordedRate } from './unrecorded.ts'

/** Time, entropy and keys of one decision: parameters, so that a decision is reproducible. */
export interface DecisionContext extends AuthorityMoment {
  readonly entropy: Entropy
  readonly unrecorded: UnrecordedRate
  /** Configured key-encryption keys; a rotation seals with the first. */
  readonly ring: readonly Kek[]
}

/** The rows to write, in order; the caller's answer; the audit record of the command. */
export interface Decision {
  readonly rows: readonly Row[]
  readonly answer: CommandAnswer
  readonly audit: AuditEntry
}
