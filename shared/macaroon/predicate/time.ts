/** Compiles the caveats that compare the time. They stand apart, because `inspect` reads them in browsers as well. */
import { type Clause, parseClause } from './clause.ts'
import { parseInstant, parseTimestamp } from './instant.ts'
import { unknown, type UnknownPredicate } from './unknown.ts'

export interface TimePredicate {
  readonly kind: 'time'
  /** An upper bound is compared with the latest credible time, a lower bound with the earliest (S13 in ARCHITECTURE.md). */
  readonly bound: 'upper' | 'lower'
  readonly inclusive: boolean
  /** Unix milliseconds, possibly with a fraction. */
  readonly instantMs: number
  readonly wanted: string
}

type Compiled = TimePredicate | UnknownPredicate

/** macaroon-bakery and LND write `time < …` this way. */
const TIME_BEFORE = /^time-before ([^ ]+)$/

/** Unix milliseconds at which this caveat begins to refuse. Undefined if it never does because of the time. */
export function endOfCaveatMs(text: string): number | undefined {
  const clause = parseClause(text)
  if (clause !== undefined && clause.key !== 'time') return undefined
  const predicate = clause === undefined ? compileTimeBefore(text) : compileTime(clause)
  return predicate?.kind === 'time' && predicate.bound === 'upper' ? predicate.instantMs : undefined
}

export function compileTime({ op, value, conditional }: Clause): Compiled {
  const instantMs = parseInstant(value)
  if (conditional || instantMs === undefined || op === '=' || op === 'in' || op === 'prefix') {
    return unknown('`time` with <, <=, > or >= and a time with its zone (RFC 3339) or unix seconds below 1e11')
  }
  const bound = op.startsWith('<') ? 'upper' : 'lower'
  return { kind: 'time', bound, inclusive: op.endsWith('='), instantMs, wanted: `a time ${op} ${value}` }
}

export function compileTimeBefore(text: string): Compiled | undefined {
  const [, timestamp] = TIME_BEFORE.exec(text) ?? []
  if (timestamp === undefined) return undefined
  const instantMs = parseTimestamp(timestamp)
  if (instantMs === undefined) return unknown('`time-before` and a time with its zone (RFC 3339)')
  return { kind: 'time', bound: 'upper', inclusive: false, instantMs, wanted: `a time < ${timestamp}` }
}
