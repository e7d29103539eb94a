/** Finds the nearest known word for "Did you mean …", for unknown configuration keys and command-line words. */

const FAR = 2 ** 30

/** Levenshtein distance of two short words (no transpositions). Beyond `max` the result is only some number above `max`. */
export function editDistance(a: string, b: string, max: number = Math.max(a.length, b.length)): number {
  if (Math.abs(a.length - b.length) > max) return FAR
  let row = Int32Array.from({ length: b.length + 1 }, (_, column) => column)
  let next = new Int32Array(b.length + 1)
  for (let i = 1; i <= a.length; i++) {
    const [from, to] = [Math.max(1, i - max), Math.min(b.length, i + max)]
    next[from - 1] = from === 1 ? i : FAR
    for (let j = from; j <= to; j++) {
      const substitution = (row[j - 1] ?? FAR) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min((row[j] ?? FAR) + 1, (next[j - 1] ?? FAR) + 1, substitution)
    }
    if (to < b.length) next[to + 1] = FAR
    ;[row, next] = [next, row]
  }
  return row[b.length] ?? FAR
}

/** The nearest known word within a third of the word's length, or undefined: a far-fetched suggestion is worse than none. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best !== undefined && best.distance <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : undefined
}
