/** Pure: a set of numbers that mostly follow each other, as ranges in order. */
export class Numbers {
  readonly #ranges: { first: number; last: number }[] = []

  has(number: number): boolean {
    const range = this.#ranges[this.#indexOf(number)]
    return range !== undefined && number >= range.first
  }

  add(number: number): void {
    const index = this.#indexOf(number)
    const [before, at] = [this.#ranges[index - 1], this.#ranges[index]]
    if (at !== undefined && number >= at.first) return
    const joinsBefore = before?.last === number - 1
    const joinsAt = at?.first === number + 1
    if (before !== undefined && joinsBefore) before.last = joinsAt ? at.last : number
    else if (joinsAt) at.first = number
    else this.#ranges.splice(index, 0, { first: number, last: number })
    if (joinsBefore && joinsAt) this.#ranges.splice(index, 1)
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
