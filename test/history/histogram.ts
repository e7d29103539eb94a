/** Durations in few classes, so that those of many runs can be added up. */

/** Upper ends of the classes, milliseconds; the last has none. */
export const CLASSES_MS: readonly number[] = [20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, Infinity]

/** How many there are in each class. */
export type Histogram = readonly number[]

export const EMPTY: Histogram = CLASSES_MS.map(() => 0)

export function histogramOf(durationsMs: readonly number[]): Histogram {
  const counts = [...EMPTY]
  for (const duration of durationsMs) {
    const index = CLASSES_MS.findIndex((end) => duration <= end)
    counts[index] = (counts[index] ?? 0) + 1
  }
  return counts
}

export function sumOf(a: Histogram, b: Histogram): Histogram {
  return CLASSES_MS.map((_, index) => (a[index] ?? 0) + (b[index] ?? 0))
}

export function totalOf(histogram: Histogram): number {
  return histogram.reduce((sum, count) => sum + count, 0)
}

/** The end of the class that this share lies in at most; Infinity for more than the last that has one, 0 of nothing. */
export function quantileMs(histogram: Histogram, share: number): number {
  const wanted = share * totalOf(histogram)
  let seen = 0
  if (wanted === 0) return 0
  for (const [index, count] of histogram.entries()) {
    seen += count
    if (seen >= wanted) return CLASSES_MS[index] ?? Infinity
  }
  return Infinity
}
