import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCondition } from '../../../primary/authority/condition.ts'
import { codeOf } from '../../shared/code-of.ts'

const pieces = fc.oneof(
  fc.constantFrom(
    'op',
    'read',
    'org',
    'Op',
    '=',
    '&',
    '%3D',
    '%26',
    '%6f',
    '%00',
    '%2B',
    '%C3%A9',
    '%c0%af',
    '%ED%A0%80',
  ),
  fc.constantFrom(
    '+',
    ' ',
    ';',
    '#',
    '?',
    '\0',
    '\n',
    'é',
    '\u202e',
    '%',
    '%4',
    ',',
    '..',
    '[]',
    '__proto__',
    '"',
    '\\',
  ),
)
const few = fc.array(pieces, { minLength: 1, maxLength: 2 }).map((all) => all.join(''))
const pairs = fc.array(fc.tuple(few, few), { minLength: 1, maxLength: 3 })
const texts = fc.oneof(
  pairs.map((all) => all.map((pair) => pair.join('=')).join('&')),
  fc.string({ maxLength: 20 }),
)

test('a condition means the same to whoever reads a URL’s query, or is not understood', () => {
  let understood = 0
  fc.assert(
    fc.property(texts, (text) => {
      let values: ReadonlyMap<string, readonly string[]>
      try {
        values = parseCondition(`may ${text}`)
      } catch (error) {
        expect(error).toMatchObject({ code: 'discharge_refused' })
        return
      }
      understood += 1
      const pairs = new URLSearchParams(text)
      expect([...values.keys()]).toEqual([...new Set(pairs.keys())])
      for (const [key, all] of values) expect(all).toEqual(pairs.getAll(key))
      expect(values.has('org')).toBe(false)
    }),
    { numRuns: 5_000 },
  )
  expect(understood).toBeGreaterThan(50)
})

test('whatever stands in keys and values comes back from their encoding', () => {
  const key = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text !== 'org')
  const values = fc.array(fc.tuple(key, fc.string({ unit: 'grapheme' })), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(values, (pairs) => {
      const encoded = pairs.map((pair) => pair.map(strictlyEncoded).join('='))
      const asked = new Map<string, string[]>()
      for (const [name, value] of pairs) asked.set(name, [...(asked.get(name) ?? []), value])
      expect(parseCondition(`may ${encoded.join('&')}`)).toEqual(asked)
    }),
  )
})

test.each(['%6Frg=acme', 'o%72g=acme', '%6f%72%67=acme&op=read'])(
  'an org cannot be asked for, however it is spelt: %s',
  (pair) => {
    expect(codeOf(() => parseCondition(`may ${pair}`))).toBe('discharge_refused')
  },
)

/** Every sign that has a meaning somewhere, and a few that `encodeURIComponent` leaves as they are. */
function strictlyEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(/['()]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)
}
