/**
 * Finds caveats that look different from how they are judged. `OP = read` is a caveat on an application's key `OP`: an access
 * with `op` does not satisfy it, and `Op? = read` would never apply to one. Our own tools warn when they mint or attenuate.
 * The library accepts such caveats, and verifiers judge them like any other.
 */
import { editDistance } from '../suggest.ts'
import { MacaroondError } from '../errors.ts'
import { type Clause, parseClause, parseList } from '../macaroon/predicate/clause.ts'
import { checkPredicate, RESERVED_KEYS } from '../macaroon/predicate/compile.ts'
import { hasUnseen } from './subject.ts'

/** `time-before` is not a key, but a form of its own. Used as a key it would compare words. */
const RESERVED: readonly string[] = [...RESERVED_KEYS, 'time-before']
/** Keys shorter than this are not compared, because short words are similar by chance. */
const NEAR_CHARS_MIN = 5

/** Warnings about a probable mistake, one sentence each. Throws caveat_malformed for a certain mistake. */
export function checkOwnCaveat(text: string): readonly string[] {
  checkPredicate(text)
  const clause = parseClause(text)
  if (clause === undefined) return []
  refuseOtherCase(clause)
  return [nearReserved(clause), neverCleared(clause)].filter((warning) => warning !== undefined)
}

function refuseOtherCase({ key }: Clause): void {
  const meant = key.toLowerCase()
  if (!RESERVED.includes(meant) || RESERVED_KEYS.includes(key)) return
  throw new MacaroondError('caveat_malformed', `\`${key}\` is a key of an application, and looks like \`${meant}\``, {
    hint:
      meant === 'time-before'
        ? 'write `time < T`, or `time-before T` with a time in RFC 3339'
        : `write \`${meant}\` in lower case, or give the key of the application another name`,
  })
}

function nearReserved({ key }: Clause): string | undefined {
  const word = key.toLowerCase()
  if (word.length < NEAR_CHARS_MIN || RESERVED.includes(word)) return undefined
  const near = RESERVED.find((reserved) => isOneEditAway(word, reserved))
  return near === undefined ? undefined : `\`${key}\` is a key of an application: is \`${near}\` meant?`
}

/** True if the words differ by one inserted, deleted or replaced letter, or by two swapped neighbours. */
function isOneEditAway(word: string, other: string): boolean {
  if (editDistance(word, other) === 1) return true
  if (word.length !== other.length) return false
  let first = 0
  while (first < word.length && word[first] === other[first]) first += 1
  const swapped = `${word.slice(0, first)}${word[first + 1] ?? ''}${word[first] ?? ''}${word.slice(first + 2)}`
  return swapped === other
}

const QUOTED = /^["'“”‘’«].*["'“”‘’»]$|^["“”«]|["“”»]$/su
const COMMENT = / (?:#|\/\/)/
/** Reserved keys whose words contain no comma. Words of an application's key may contain one. */
const WITHOUT_COMMAS: readonly string[] = ['op', 'org', 'region', 'peer', 'tenant']

/** Warns about a value that no access is likely to have: words are compared exactly, including quotes and comments. */
function neverCleared({ key, op, value }: Clause): string | undefined {
  if (key === 'note' || (op !== '=' && op !== 'in')) return undefined
  if (hasUnseen(value)) return `the value of \`${key}\` contains an invisible character`
  if (COMMENT.test(value)) return `\`${value}\` is the whole value of \`${key}\`: a caveat cannot contain a comment`
  if (op === '=' && WITHOUT_COMMAS.includes(key) && value.includes(',')) {
    return `\`${value}\` is one word: to allow any of several, write \`${key} in ${value}\``
  }
  const items = op === 'in' ? (parseList(value) ?? []) : [value]
  const quoted = items.find((item) => QUOTED.test(item))
  return quoted === undefined ? undefined : `the quotes in \`${quoted}\` are part of the value: write it without them`
}
