/** A set of integers, kept as sorted ranges: memory grows with the number of gaps, not of members. Pure. */
export class Numbers {
  readonly #ranges: { first: number; last: number }[] = []

  has(number: number): boolean {
    const range = this.#ranges[this.#indexOf(number)]
    return range !== undefined && number >= range.first
  }

  /** Adds `first` to `last`, both included. */
  add(first: number, last: number = first): void {
    // Ranges that overlap the new one, or touch it, are joined with it.
    const index = this.#indexOf(first - 1)
    const joined = { first, last }
    let count = 0
    for (let at = this.#ranges[index]; at !== undefined && at.first <= last + 1; at = this.#ranges[index + count]) {
      joined.first = Math.min(joined.first, at.first)
      joined.last = Math.max(joined.last, at.last)
      count += 1
    }
    this.#ranges.splice(index, count, joined)
  }

  /** Index of the first range that ends at `number` or later. */
  #indexOf(number: number): number {
    let low = 0
    for (let high = this.#ranges.length; low < high;) {
      const middle = (low + high) >>> 1
      if ((this.#ranges[middle]?.last ?? Infinity) < number) low = middle + 1
      else high = middle
    }
    return low
  }
}
