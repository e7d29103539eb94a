/**
 * A set of closed ranges. It says in logarithmic time if one of them contains a whole other range: a caveat may list hundreds
 * of ranges, and an access may ask for hundreds of values.
 */

export interface Range<N extends number | bigint> {
  readonly low: N
  readonly high: N
}

export class Ranges<N extends number | bigint> {
  /** In ascending order. */
  readonly #lows: readonly N[]
  /** At each place: the highest end of the ranges up to that place. */
  readonly #highs: readonly N[]

  constructor(ranges: readonly Range<N>[]) {
    const sorted = ranges.toSorted((a, b) => (a.low < b.low ? -1 : Number(a.low > b.low)))
    const highs: N[] = []
    for (const { high } of sorted) {
      const before = highs.at(-1)
      highs.push(before === undefined || before < high ? high : before)
    }
    this.#lows = sorted.map(({ low }) => low)
    this.#highs = highs
  }

  /** True if a single range contains it. Two ranges that touch do not count as one. */
  contains({ low, high }: Range<N>): boolean {
    const highest = this.#highs[this.#countUpTo(low) - 1]
    return highest !== undefined && high <= highest
  }

  /** The number of ranges that begin at or below `low`. */
  #countUpTo(low: N): number {
    let from = 0
    let to = this.#lows.length
    while (from < to) {
      const middle = (from + to) >>> 1
      const begin = this.#lows[middle]
      if (begin !== undefined && begin <= low) from = middle + 1
      else to = middle
    }
    return from
  }
}
