/** Lines are folded between words; a command that is folded can still be copied. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { foldHelp, foldLine } from '../../ops/fold.ts'

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== '')

test('every line fits, or is one word that is longer, and no word is lost', () => {
  const lines = fc.array(fc.string({ minLength: 1, maxLength: 60 }), { maxLength: 40 }).map((of) => of.join(' '))
  fc.assert(
    fc.property(lines, fc.integer({ min: 40, max: 120 }), fc.constantFrom('', '  '), (line, columns, indent) => {
      const folded = foldLine(indent + line, columns)
      expect(words(folded.join(' '))).toEqual(words(line))
      for (const one of folded) expect(one.length <= columns || words(one).length === 1).toBe(true)
    }),
  )
  expect(foldLine('a  b', 80)).toEqual(['a  b'])
})

test('a command is folded with a backslash, outside its quotes', () => {
  const long = `  macaroond token mint --org acme --subject backup --caveat 'op = read' --caveat 'ip in 10.0.0.0/8' --ttl 1h`
  expect(foldHelp(`Examples:\n${long}\n  {"a": 1}`, 80).split('\n')).toEqual([
    'Examples:',
    "  macaroond token mint --org acme --subject backup --caveat 'op = read' \\",
    "    --caveat 'ip in 10.0.0.0/8' --ttl 1h",
    '  {"a": 1}',
  ])
})
