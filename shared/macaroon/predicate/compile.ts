/**
 * Compiles the text of a caveat. The key says how values compare: reserved keys have a type of their own (FORMAT.md
 * lists them), any other key compares words for `=` and `in`, and whole numbers for everything else.
 */
import { MacaroondError } from '../../errors.ts'
import { CAVEAT_BYTES_MAX } from '../../limits.ts'
import { type Clause, parseClause } from './clause.ts'
import { parseDuration, parseInstant, parseTimestamp } from './instant.ts'
import { parseTokenName } from './token-name.ts'
import { type Predicate, unknown, type UnknownPredicate } from './predicate.ts'
import { compileAddress, compileNumber, compilePath, compileWord, compileWordOrNumber } from './values.ts'

type Compiled = Predicate | UnknownPredicate

/** A Map, so that keys such as `__proto__` and `constructor` are words like any other. */
const RESERVED: ReadonlyMap<string, (clause: Clause) => Compiled> = new Map([
  ['time', compileTime],
  ['staleness', compileStaleness],
  ['note', compileNote],
  ['path', compilePath],
  ['ip', compileAddress],
  ['chunk', compileNumber],
  ['size', compileNumber],
  ['op', compileWord],
  ['org', compileWord],
  ['subject', compileWord],
  ['region', compileWord],
  ['peer', compileWord],
  ['tenant', compileTenant],
  ['presented', compilePresented],
  ['unrevoked', compileUnrevoked],
])

export const RESERVED_KEYS: readonly string[] = [...RESERVED.keys()]

/** The bakery's and LND's spelling of `time < …`; an instant with its zone means the same to everybody. */
const TIME_BEFORE = /^time-before ([^ ]+)$/

export function compilePredicate(text: string): Compiled {
  const clause = parseClause(text)
  if (clause === undefined) return compileTimeBefore(text) ?? unknown('a predicate of the form `key op value`')
  return (RESERVED.get(clause.key) ?? compileWordOrNumber)(clause)
}

/** For whoever writes a caveat: a predicate that nothing would ever clear is a mistake, told at once. */
export function checkPredicate(text: string): Predicate {
  const predicate = compilePredicate(text)
  if (predicate.kind === 'unknown') {
    throw new MacaroondError('caveat_malformed', `not a predicate: ${JSON.stringify(text.slice(0, 200))}`, {
      hint: `expected ${predicate.wanted}`,
    })
  }
  if (Buffer.byteLength(text) > CAVEAT_BYTES_MAX) {
    throw new MacaroondError('caveat_malformed', `a caveat has at most ${CAVEAT_BYTES_MAX} bytes`)
  }
  return predicate
}

function compileTime({ op, value, conditional }: Clause): Compiled {
  const instantMs = parseInstant(value)
  if (conditional || instantMs === undefined || op === '=' || op === 'in' || op === 'prefix') {
    return unknown('`time` with <, <=, > or >= and a time with its zone (RFC 3339) or unix seconds below 1e11')
  }
  const bound = op.startsWith('<') ? 'upper' : 'lower'
  return { kind: 'time', bound, inclusive: op.endsWith('='), instantMs, wanted: `a time ${op} ${value}` }
}

function compileTimeBefore(text: string): Compiled | undefined {
  const [, timestamp] = TIME_BEFORE.exec(text) ?? []
  if (timestamp === undefined) return undefined
  const instantMs = parseTimestamp(timestamp)
  if (instantMs === undefined) return unknown('`time-before` and a time with its zone (RFC 3339)')
  return { kind: 'time', bound: 'upper', inclusive: false, instantMs, wanted: `a time < ${timestamp}` }
}

function compileStaleness({ op, value, conditional }: Clause): Compiled {
  const limitMs = parseDuration(value)
  if (conditional || limitMs === undefined || (op !== '<' && op !== '<=')) {
    return unknown('`staleness` with < or <= and a duration such as 500ms or 5s')
  }
  return { kind: 'staleness', limitMs, inclusive: op === '<=', wanted: `a state ${op} ${value} old` }
}

function compileNote({ op, value, conditional }: Clause): Compiled {
  return conditional || op !== '=' ? unknown('`note = text`') : { kind: 'note', text: value }
}

/** A discharge says whose token it was given for; that must be the org of the access, which is never left out. */
function compileTenant(clause: Clause): Compiled {
  return clause.conditional ? unknown('`tenant` without a question mark') : compileWord(clause, 'org')
}

function compilePresented({ op, value, conditional }: Clause): Compiled {
  const name = parseTokenName(value)
  if (conditional || op !== '=' || name === undefined) return unknown('`presented = <kid.nonce>`')
  return { kind: 'presented', id: name.id }
}

function compileUnrevoked({ op, value, conditional }: Clause): Compiled {
  const name = parseTokenName(value)
  if (conditional || op !== '=' || name === undefined) return unknown('`unrevoked = <kid.nonce>`')
  return { kind: 'unrevoked', kid: name.kid, nonce: name.nonce, wanted: `${name.id} to stand` }
}
