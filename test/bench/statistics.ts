/** Medians and quantiles of samples. */

export function percentile(samples: readonly number[], fraction: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))]
  if (value === undefined) throw new Error('there is nothing to take a percentile of')
  return value
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}

export function maximum(samples: readonly number[]): number {
  return samples.reduce((highest, sample) => Math.max(highest, sample), -Infinity)
}

export function minimum(samples: readonly number[]): number {
  return samples.reduce((lowest, sample) => Math.min(lowest, sample), Infinity)
}
