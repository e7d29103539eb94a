/** The grammar that all predicates share: `key op value`, one space between, read the same by every implementation. */
import { LIST_ITEMS_MAX } from '../../limits.ts'

export type Operator = '=' | 'in' | 'prefix' | '<' | '<=' | '>' | '>='

export interface Clause {
  readonly key: string
  readonly conditional: boolean
  readonly op: Operator
  /** Not empty, without spaces at either end. */
  readonly value: string
}

const KEY = '[A-Za-z_][A-Za-z0-9_.-]{0,63}'
const CLAUSE = new RegExp(`^(${KEY})(\\??) (=|in|prefix|<=|<|>=|>) ([^ ](?:.*[^ ])?)$`, 'su')
const WHOLE_KEY = new RegExp(`^${KEY}$`)
/** Control characters, line separators and bidirectional overrides: they let a caveat read otherwise than it is judged. */
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

export function parseClause(text: string): Clause | undefined {
  const match = CLAUSE.exec(text)
  if (match === null || INVISIBLE.test(text)) return undefined
  const [, key = '', mark, op, value = ''] = match
  return { key, conditional: mark === '?', op: op as Operator, value }
}

export function isKey(text: string): boolean {
  return WHOLE_KEY.test(text)
}

/** Items between commas; undefined when one is empty, has a space at an end, or there are too many. */
export function parseList(value: string): readonly string[] | undefined {
  const items = value.split(',', LIST_ITEMS_MAX + 1)
  const wellFormed = items.length <= LIST_ITEMS_MAX && items.every((item) => item !== '' && item.trim() === item)
  return wellFormed ? items : undefined
}
