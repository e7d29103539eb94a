import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance } from '../../shared/suggest.ts'

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })

test('up to the distance that is asked for, the edit distance is the same as without one', () => {
  const check = (a: string, b: string, max: number): void => {
    const distance = editDistance(a, b)
    const bounded = editDistance(a, b, max)
    expect(bounded <= max ? bounded : 'further').toBe(distance <= max ? distance : 'further')
  }
  fc.assert(fc.property(word, word, fc.integer({ min: 0, max: 5 }), check), { numRuns: 2_000 })
})

test('asked for a small distance it looks at no letters that are further apart than that', () => {
  const looked: number[] = []
  const letters = (of: number): string =>
    new Proxy(Object('q'.repeat(64)) as object, {
      get: (text, name) => {
        if (typeof name === 'string' && /^\d+$/.test(name)) looked.push(of)
        return Reflect.get(text, name) as unknown
      },
    }) as unknown as string
  expect(editDistance(letters(1), letters(2), 2)).toBe(0)
  expect(looked.length).toBeLessThanOrEqual(2 * 5 * 64)
})
