/** Parses the grammar that all predicates share: `key op value`, separated by single spaces. FORMAT.md has it in EBNF. */
import { LIST_ITEMS_MAX } from '../../limits.ts'

export type Operator = (typeof OPERATORS)[number]

export const OPERATORS = ['=', 'in', 'prefix', '<', '<=', '>', '>='] as const

export interface Clause {
  readonly key: string
  readonly conditional: boolean
  readonly op: Operator
  /** Not empty, and without a space at either end. */
  readonly value: string
}

const KEY = '[A-Za-z_][A-Za-z0-9_.-]{0,63}'
const CLAUSE = new RegExp(`^(${KEY})(\\??) (${OPERATORS.join('|')}) ([^ ](?:.*[^ ])?)$`, 'su')
const WHOLE_KEY = new RegExp(`^${KEY}$`)
/** Control characters, line separators and bidirectional controls. With them a caveat can look different from what it means. */
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

/** The parts of a predicate, or undefined if the text does not fit the grammar. */
export function parseClause(text: string): Clause | undefined {
  const match = CLAUSE.exec(text)
  if (match === null || INVISIBLE.test(text)) return undefined
  const [, key = '', mark, op, value = ''] = match
  return { key, conditional: mark === '?', op: op as Operator, value }
}

export function isKey(text: string): boolean {
  return WHOLE_KEY.test(text)
}

/** The items between commas. Undefined if an item is empty or has white space at an end, or if there are too many. */
export function parseList(value: string): readonly string[] | undefined {
  const items = value.split(',', LIST_ITEMS_MAX + 1)
  const wellFormed = items.length <= LIST_ITEMS_MAX && items.every((item) => item !== '' && item.trim() === item)
  return wellFormed ? items : undefined
}
