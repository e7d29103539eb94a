/** Pure: a set of numbers that mostly follow each other, as ranges in order. */
export class Numbers {
  readonly #ranges: { first: number; last: number }[] = []

  has(number: number): boolean {
    const range = this.#ranges[this.#indexOf(number)]
    return range !== undefined && number >= range.first
  }

  /** Both included. */
  add(first: number, last: number = first): void {
    // Ranges that overlap the new one, or lie right beside it, become one with it.
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

  /** Of the first range that ends at the number or behind it. */
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
