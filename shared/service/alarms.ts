/**
 * Every alarm that a node can raise. `status`, the metrics, the log and RUNBOOK are made from this one list, so an alarm has
 * the same code and the same advice wherever an operator meets it.
 */

/** `critical`: a promise is at stake, or a region is without verdicts. `warning`: it will come to that if nobody acts. */
export type Severity = 'critical' | 'warning'

export interface AlarmKind {
  readonly severity: Severity
  /** The first words, before the details of the one case: a sentence without its full stop. */
  readonly summary: string
  /** What an operator types or does. */
  readonly action: string
}

const KINDS = {
  primary_refused: {
    severity: 'critical',
    summary: 'this replica and its primary have different histories',
    action: 'find out which of the two has the true history (RUNBOOK, "A replica refuses its primary")',
  },
  revocation_unknown: {
    severity: 'critical',
    summary: 'a revocation is of a kind that this version does not know, so every verdict is unavailable',
    action: 'upgrade this replica',
  },
  revocation_unreadable: {
    severity: 'critical',
    summary: 'a record of a revocation cannot be read',
    action: 'look at the record in the primary’s database and revoke the token again',
  },
} as const

export type AlarmCode = keyof typeof KINDS

export const ALARMS: Readonly<Record<AlarmCode, AlarmKind>> = KINDS

/** An alarm that is on. */
export interface Alarm {
  readonly code: AlarmCode
  readonly severity: Severity
  /** The summary and the details of this case. */
  readonly message: string
  readonly action: string
  /** Unix milliseconds of the node's own wall clock. */
  readonly sinceMs: number
}
