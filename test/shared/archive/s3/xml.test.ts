import { expect, test } from 'vitest'
import { elements, escapeXml, textOf } from '../../../../shared/archive/s3/xml.ts'

test('elements come out by name, in order, with and without attributes', () => {
  const xml = '<L xmlns="x"><Key>a</Key><Key >b</Key><KeyCount>2</KeyCount><Key>cut'
  expect(elements(xml, 'Key')).toEqual(['a', 'b'])
  expect(elements(xml, 'L')).toEqual([])
  expect(textOf(xml, 'KeyCount')).toBe('2')
})

test('text comes out as it was written, and what is no entity stays as it is', () => {
  const text = 'a<b>&amp;"\u{1f600}'
  expect(textOf(`<K>${escapeXml(text)}</K>`, 'K')).toBe(text)
  expect(textOf('<K>&#65;&#x42;&quot;&apos;</K>', 'K')).toBe(`AB"'`)
  const none = '&constructor;&toString;&nbsp;&#x110000;&;'
  expect(textOf(`<K>${none}</K>`, 'K')).toBe(none)
})

test('a document of nothing but openings is read once, however long it is', () => {
  // Read to its end from each of them it would take an hour.
  expect(elements('<Key '.repeat(1_600_000), 'Key')).toEqual([])
})
