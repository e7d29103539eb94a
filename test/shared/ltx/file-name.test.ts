import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Txid } from '../../../shared/ids.ts'
import { parseSegmentFileName, segmentFileName } from '../../../shared/ltx/file-name.ts'

describe('the name of a segment file', () => {
  test('is its two transaction numbers in 16 hex digits each', () => {
    const name = segmentFileName({ minTxid: 1 as Txid, maxTxid: 0xabc as Txid })
    expect(name).toBe('0000000000000001-0000000000000abc.ltx')
  })

  test('gives back what it was made from', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), fc.nat(), (min, span) => {
        const range = { minTxid: min as Txid, maxTxid: (min + span) as Txid }
        expect(parseSegmentFileName(segmentFileName(range))).toEqual(range)
      }),
    )
  })

  test.each([
    ['in capitals', '0000000000000001-0000000000000ABC.ltx'],
    ['too short', '1-2.ltx'],
    ['with another ending', '0000000000000001-0000000000000002.ltx.tmp'],
    ['with a path', 'ltx/0000000000000001-0000000000000002.ltx'],
    ['with a line break', '0000000000000001-0000000000000002.ltx\n'],
    ['back to front', '0000000000000002-0000000000000001.ltx'],
    ['of transaction zero', '0000000000000000-0000000000000001.ltx'],
    ['beyond 2^53', '0000000000000001-ffffffffffffffff.ltx'],
  ])('%s is the name of something else', (_, name) => {
    expect(parseSegmentFileName(name)).toBeUndefined()
  })

  test('is not made from a range that holds nothing', () => {
    expect(() => segmentFileName({ minTxid: 2 as Txid, maxTxid: 1 as Txid })).toThrow('at least one transaction')
  })
})
