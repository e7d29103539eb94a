import { describe, expect, it } from 'vitest'
import { isMet } from '../report.ts'
import { type Measured, ratioRows, ratiosOf } from './ratios.ts'
import type { Rival, Task } from './tasks.ts'

const TASK: Task = { name: 'verify', operation: 'verify', rivals: ['npm macaroon', 'libmacaroons'] }

const measured = (caveats: number, ours: number[], theirs: [Rival, number[]][]): Measured => ({
  task: TASK,
  caveats,
  samples: { ours, theirs: new Map(theirs) },
})

describe('a ratio', () => {
  it('is taken in every round before the median, so one slow round of the machine does not count', () => {
    const slowRound = measured(5, [10, 100, 10], [['libmacaroons', [20, 200, 20]]])
    expect(ratioRows([slowRound], 'libmacaroons', 2)[0]?.value).toBe(0.5)
    // The quotient of the two medians would be 30 : 20.
    const uneven = measured(5, [10, 30, 90], [['libmacaroons', [20, 10, 90]]])
    expect(ratioRows([uneven], 'libmacaroons', 2)[0]?.value).toBe(1)
  })

  it('compares rounds with rounds, and refuses where one of them is missing', () => {
    expect(ratiosOf([3, 8], [6, 4])).toEqual([0.5, 2])
    expect(() => ratiosOf([1, 2], [1])).toThrow(/a round has one figure/)
  })
})

describe('the rows of a rival', () => {
  const all = [
    measured(1, [1, 1, 1], [['npm macaroon', [4, 2, 8]]]),
    measured(
      20,
      [3, 3, 3],
      [
        ['npm macaroon', [1, 1, 1]],
        ['libmacaroons', [2, 2, 2]],
      ],
    ),
  ]

  it('are those of what it did as well, with the spread of the rounds', () => {
    const rows = ratioRows(all, 'npm macaroon', 1)
    expect(rows.map(({ name, value }) => [name, value])).toEqual([
      ['verify, 1 caveat', 0.25],
      ['verify, 20 caveats', 3],
    ])
    expect(rows[0]?.detail).toBe('rounds 0.125 to 0.5')
    expect(ratioRows(all, 'libmacaroons', 2).map(({ name }) => name)).toEqual(['verify, 20 caveats'])
  })

  it('meet their target only below it', () => {
    expect(ratioRows(all, 'npm macaroon', 1).map(isMet)).toEqual([true, false])
    expect(ratioRows(all, 'libmacaroons', 1.5).map(isMet)).toEqual([false])
  })
})
