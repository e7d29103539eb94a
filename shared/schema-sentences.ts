/**
 * Says what is wrong with a value that does not fit its schema. The schema library's own phrases are written for programmers
 * and never reach a person: every check whose outcome is shown parses with `IN_SENTENCES`. A message that a schema brings
 * itself stays.
 */
import type { z } from 'zod'

type Issue = z.core.$ZodRawIssue

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a table',
  record: 'a table',
  map: 'a table',
  date: 'a date',
  null: 'null',
  nan: 'not a number',
  function: 'a function',
}

/** Sizes of texts and lists have a unit, numbers have none. */
const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' entries', set: ' entries' }

/** The sentence without its subject: the caller puts the name of the field before it. */
export function sentenceOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeSentence(issue)
    case 'too_big':
    case 'too_small':
      return sizeSentence(issue)
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`
    case 'unrecognized_keys':
      return `has ${issue.keys.length === 1 ? 'an unknown key' : 'unknown keys'}: ${issue.keys.slice(0, 5).join(', ')}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return 'does not have the right form'
    case 'invalid_union':
      return 'fits none of the allowed forms'
    case 'invalid_key':
    case 'invalid_element':
      return 'has an entry that is not valid'
    default:
      return 'is not valid'
  }
}

/** Options of a parse whose messages a person may read. */
export const IN_SENTENCES: { readonly error: (issue: Issue) => string } = { error: sentenceOf }

function typeSentence({ expected, input }: Extract<Issue, { code: 'invalid_type' }>): string {
  if (input === undefined) return 'is missing'
  return `must be ${KINDS[expected] ?? 'another kind of value'}, and is ${kindOf(input)}`
}

/** The kind alone: the value may be a secret in the wrong place. */
function kindOf(input: unknown): string {
  if (input === null) return 'null'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'number' && !Number.isInteger(input)) return Number.isNaN(input) ? 'not a number' : 'a fraction'
  return KINDS[typeof input] ?? 'something else'
}

function sizeSentence(issue: Extract<Issue, { code: 'too_big' | 'too_small' }>): string {
  const [limit, isTooBig] = issue.code === 'too_big' ? [issue.maximum, true] : [issue.minimum, false]
  const unit = UNITS[issue.origin]
  if (!isTooBig && unit !== undefined && Number(limit) === 1) return 'must not be empty'
  const bound = issue.inclusive === false ? (isTooBig ? 'less than' : 'more than') : isTooBig ? 'at most' : 'at least'
  return `must ${unit === undefined ? 'be' : 'have'} ${bound} ${String(limit)}${unit ?? ''}`
}
