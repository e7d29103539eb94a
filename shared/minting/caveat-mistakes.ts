/**
 * Caveats that read otherwise than they are judged. `OP = read` is a caveat on a key of an application that happens to be
 * called OP; a service that judges `op` never asks for it, and `Op? = read` never applies at all. Whoever mints or narrows
 * with our tools is told. The library adds what it is given, and a token that has such a caveat is judged as ever.
 */
import { editDistance } from '../suggest.ts'
import { MacaroondError } from '../errors.ts'
import { type Clause, parseClause, parseList } from '../macaroon/predicate/clause.ts'
import { checkPredicate, RESERVED_KEYS } from '../macaroon/predicate/compile.ts'
import { hasUnseen } from './subject.ts'

/** `time-before` is a spelling of its own and no key; as a key it would compare words. */
const RESERVED: readonly string[] = [...RESERVED_KEYS, 'time-before']
/** Short words are near one another by chance. */
const NEAR_CHARS_MIN = 5

/** What is probably not meant, a sentence each. Throws caveat_malformed for what certainly is not. */
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
  throw new MacaroondError('caveat_malformed', `\`${key}\` is a key of an application, and reads like \`${meant}\``, {
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

/** One letter more, less or other, or two neighbours the wrong way round. */
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
/** Their words have no commas in them; in an application's there may be. */
const WITHOUT_COMMAS: readonly string[] = ['op', 'org', 'region', 'peer', 'tenant']

/** Words are compared as they stand: quotes are a part of them, and nothing is a comment. */
function neverCleared({ key, op, value }: Clause): string | undefined {
  if (key === 'note' || (op !== '=' && op !== 'in')) return undefined
  if (hasUnseen(value)) return `the value of \`${key}\` has a character that nobody sees`
  if (COMMENT.test(value))
    return `\`${value}\` is the value of \`${key}\` as it stands: nothing in a caveat is a comment`
  if (op === '=' && WITHOUT_COMMAS.includes(key) && value.includes(',')) {
    return `\`${value}\` is one word: for any of several write \`${key} in ${value}\``
  }
  const items = op === 'in' ? (parseList(value) ?? []) : [value]
  const quoted = items.find((item) => QUOTED.test(item))
  return quoted === undefined ? undefined : `the quotes in \`${quoted}\` are a part of the value: write it without them`
}
