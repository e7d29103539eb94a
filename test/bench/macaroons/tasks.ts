/** What is measured, and by which libraries: each task by ours, and by those that can do the same. */
import type { MacaroonFormat } from '../../../shared/macaroon/format.ts'

/**
 * `parse`: from text to a macaroon in memory. `verify`: a parsed one, under the secret it was made with, each of its
 * caveats found among predicates known beforehand. `attenuate` and `demand`: one more caveat, of the first party or of a
 * third, onto a macaroon that stays as it is. `discharge`: a macaroon for that third-party caveat, with as many caveats
 * of its own as the token, made and bound to the token. `verify_discharged`: the two of them together.
 */
export type Operation = 'parse' | 'verify' | 'parse_verify' | 'attenuate' | 'demand' | 'discharge' | 'verify_discharged'

export type Rival = 'npm macaroon' | 'libmacaroons'

export interface Task {
  readonly name: string
  readonly operation: Operation
  /** What the macaroon is read from, where it is. */
  readonly form?: MacaroonFormat
  readonly rivals: readonly Rival[]
}

export const RIVALS: readonly Rival[] = ['npm macaroon', 'libmacaroons']

/** What both sides of a pair read: npm `macaroon` no V1, libmacaroons 0.3.0 nothing else. */
const FORMS: readonly (readonly [MacaroonFormat, Rival])[] = [
  ['v1', 'libmacaroons'],
  ['v2', 'npm macaroon'],
  ['v2j', 'npm macaroon'],
]

const reading = (operation: Operation, what: string): readonly Task[] =>
  FORMS.map(([form, rival]) => ({ name: `${what} ${form.toUpperCase()}`, operation, form, rivals: [rival] }))

export const TASKS: readonly Task[] = [
  ...reading('parse', 'parse'),
  { name: 'verify', operation: 'verify', rivals: RIVALS },
  ...reading('parse_verify', 'parse and verify'),
  { name: 'attenuate', operation: 'attenuate', rivals: RIVALS },
  { name: 'add a third-party caveat', operation: 'demand', rivals: RIVALS },
  { name: 'discharge and bind', operation: 'discharge', rivals: RIVALS },
  { name: 'verify with a discharge', operation: 'verify_discharged', rivals: RIVALS },
]

/** Caveats of the token, and of its discharge. */
export const CAVEAT_COUNTS: readonly number[] = [1, 5, 20]

/** All tasks that one of those present can do as well; ours alone would compare with nothing. */
export function tasksFor(present: readonly Rival[]): readonly Task[] {
  return TASKS.map((task) => ({ ...task, rivals: task.rivals.filter((rival) => present.includes(rival)) })).filter(
    ({ rivals }) => rivals.length > 0,
  )
}
