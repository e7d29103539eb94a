/**
 * Compiles the text of a caveat into a predicate. The key decides how values compare: a reserved key has its own type
 * (FORMAT.md lists them), any other key compares words with `=` and `in`, and whole numbers with the other operators.
 */
import { MacaroondError } from '../../errors.ts'
import { CAVEAT_BYTES_MAX } from '../../limits.ts'
import { type Clause, OPERATORS, parseClause } from './clause.ts'
import { parseDuration } from './instant.ts'
import type { Predicate } from './predicate.ts'
import { unknown, type UnknownPredicate } from './unknown.ts'
import { compileTime, compileTimeBefore } from './time.ts'
import { compileAddress, compileNumber, compilePath, compileWord, compileWordOrNumber } from './values.ts'
import { type Kid, type Nonce, type TokenId, tokenId } from '../../ids.ts'
import { isNonce } from '../nonce.ts'

const FORM = `a predicate of the form \`key op value\`, with a space on both sides of op, one of ${OPERATORS.join(' ')}`

type Compiled = Predicate | UnknownPredicate

/** A Map instead of an object, so that keys such as `__proto__` and `constructor` are ordinary keys. */
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

/** Never throws: a text that is not understood becomes an unknown predicate, which refuses every access. */
export function compilePredicate(text: string): Compiled {
  const clause = parseClause(text)
  if (clause === undefined) return compileTimeBefore(text) ?? unknown(FORM)
  return (RESERVED.get(clause.key) ?? compileWordOrNumber)(clause)
}

/** Checks a predicate before it is added to a token, because one that can never clear is a mistake. Throws caveat_malformed. */
export function checkPredicate(text: string): Predicate {
  // Before it is compiled, because a long text costs work.
  if (Buffer.byteLength(text) > CAVEAT_BYTES_MAX) {
    throw new MacaroondError('caveat_malformed', `a caveat has at most ${CAVEAT_BYTES_MAX} bytes`)
  }
  const predicate = compilePredicate(text)
  if (predicate.kind === 'unknown') {
    throw new MacaroondError('caveat_malformed', `not a predicate: ${JSON.stringify(text.slice(0, 200))}`, {
      hint: `expected ${predicate.wanted}`,
    })
  }
  return predicate
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

/** In a discharge, `tenant` names the org of the token it was issued for. It is compared with the org of the access. */
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
  return { kind: 'unrevoked', kid: name.kid, nonce: name.nonce, wanted: `${name.id} not to be revoked` }
}

interface TokenName {
  readonly kid: Kid
  readonly nonce: Nonce
  readonly id: TokenId
}

const TOKEN_NAME = /^([0-9a-f]{16})\.([0-9a-f]{32})$/

/** Parses a token id, `<kid>.<nonce>`, in a caveat. */
function parseTokenName(text: string): TokenName | undefined {
  const [, kid, nonce] = TOKEN_NAME.exec(text) ?? []
  if (kid === undefined || nonce === undefined || !isNonce(nonce)) return undefined
  return { kid: kid as Kid, nonce, id: tokenId(kid as Kid, nonce) }
}
