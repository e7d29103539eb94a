/** A set of ranges answers as a look at each range would. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Range, Ranges } from '../../../../shared/macaroon/predicate/ranges.ts'

const ends = fc.integer({ min: 0, max: 40 })
/** Also ranges that end before they begin: `size < 0` is one, and contains nothing. */
const range: fc.Arbitrary<Range<number>> = fc.record({ low: ends, high: ends })
const asked = range.filter(({ low, high }) => low <= high)

test('ranges contain another one exactly if a single one of them does', () => {
  const seen = { inside: 0, outside: 0 }
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), asked, (ranges, one) => {
      const expected = ranges.some(({ low, high }) => low <= one.low && one.high <= high)
      expect(new Ranges(ranges).contains(one)).toBe(expected)
      const big = ({ low, high }: Range<number>): Range<bigint> => ({ low: BigInt(low), high: BigInt(high) })
      expect(new Ranges(ranges.map(big)).contains(big(one))).toBe(expected)
      seen[expected ? 'inside' : 'outside'] += 1
    }),
    { numRuns: 2_000 },
  )
  expect(Math.min(seen.inside, seen.outside)).toBeGreaterThan(100)
})
