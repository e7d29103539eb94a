/** Compilers of predicates on values of the access, one for each type of value. */
import type { AskedValue } from './asked-value.ts'
import { type Clause, parseList } from './clause.ts'
import { type Interval, looksLikeRange, parseInteger, parseInterval } from './interval.ts'
import { type Network, parseNetworkAddress, parseNetwork, rangeOf } from './network.ts'
import { isPlainPath, liesUnder } from './path.ts'
import type { ValuePredicate } from './predicate.ts'
import { unknown, type UnknownPredicate } from './unknown.ts'
import { Ranges } from './ranges.ts'

type Compiled = ValuePredicate | UnknownPredicate

/** `judgedBy` is the key of the access whose value is compared. It differs from the caveat's key only for `tenant`. */
export function compileWord(clause: Clause, judgedBy: string = clause.key): Compiled {
  const words = itemsOf(clause)
  if (words === undefined) return unknown(`\`${clause.key}\` with = and a word, or in and words with commas between`)
  const allowed = new Set(words)
  return { ...valuePredicate(clause, ({ text }) => allowed.has(text)), key: judgedBy }
}

/** Compiles a key of an application: an ordering operator or a range compares numbers, anything else compares words. */
export function compileWordOrNumber(clause: Clause): Compiled {
  if (clause.op === '=') return compileWord(clause)
  if (clause.op === 'in' && !(itemsOf(clause) ?? []).some(looksLikeRange)) return compileWord(clause)
  return compileNumber(clause)
}

export function compileNumber(clause: Clause): Compiled {
  const intervals = intervalsOf(clause)
  if (intervals === undefined) {
    return unknown(`\`${clause.key}\` with whole numbers up to 2^53 - 1, or ranges such as 100..500`)
  }
  const allowed = new Ranges(intervals)
  return valuePredicate(clause, ({ interval }) => interval !== undefined && allowed.contains(interval))
}

/** The allowed values as intervals. A value of the access must lie inside one of them. */
function intervalsOf(clause: Clause): readonly Interval[] | undefined {
  const { op, value } = clause
  if (op === '=' || op === 'in') {
    const intervals = itemsOf(clause)?.map(parseInterval)
    return intervals?.every((interval) => interval !== undefined) === true ? intervals : undefined
  }
  const bound = parseInteger(value)
  if (bound === undefined) return undefined
  if (op === '<') return [{ low: 0, high: bound - 1 }]
  if (op === '<=') return [{ low: 0, high: bound }]
  if (op === '>') return [{ low: bound + 1, high: Number.MAX_SAFE_INTEGER }]
  return op === '>=' ? [{ low: bound, high: Number.MAX_SAFE_INTEGER }] : undefined
}

export function compileAddress(clause: Clause): Compiled {
  const parse = clause.op === '=' ? parseNetworkAddress : parseNetwork
  const networks = itemsOf(clause)?.map(parse)
  if (networks?.every((network) => network !== undefined) !== true) {
    return unknown('`ip` with = and an address, or in and networks such as 10.0.0.0/8 with no bits after the prefix')
  }
  // An IPv6 network contains no IPv4 address, not even `::/0`.
  const allowed = { 4: rangesOf(networks, 4), 6: rangesOf(networks, 6) }
  return valuePredicate(
    clause,
    ({ address }) => address !== undefined && allowed[address.version].contains(rangeOf(address)),
  )
}

function rangesOf(networks: readonly Network[], version: 4 | 6): Ranges<bigint> {
  return new Ranges(networks.filter((network) => network.version === version).map(rangeOf))
}

export function compilePath(clause: Clause): Compiled {
  const { op, value } = clause
  const paths = op === 'prefix' ? [value] : itemsOf(clause)
  // No access may have such a path, so nothing would ever clear the caveat: its author made a mistake.
  if (paths?.every(isPlainPath) !== true) {
    return unknown('`path` with prefix, = or in, and absolute paths without dot segments or encoded separators')
  }
  if (op === 'prefix') return valuePredicate(clause, (path) => path.isPlainPath && liesUnder(path.text, value))
  const allowed = new Set(paths)
  return valuePredicate(clause, (path) => path.isPlainPath && allowed.has(path.text))
}

/** The value of `=` as one item, or the list of `in`. Undefined for other operators and for malformed lists. */
function itemsOf({ op, value }: Clause): readonly string[] | undefined {
  if (op === '=') return [value]
  return op === 'in' ? parseList(value) : undefined
}

function valuePredicate(
  { key, conditional, op, value }: Clause,
  allows: (value: AskedValue) => boolean,
): ValuePredicate {
  return { kind: 'value', key, conditional, wanted: `${key} ${op} ${value}`, allows }
}
