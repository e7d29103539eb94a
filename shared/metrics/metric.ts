/** Metrics as plain values, with names by Prometheus' rules (base units, `_total` for counters). */
import type { OutputDrops } from '../protocol/status.ts'

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

export interface Metric {
  readonly name: `macaroond_${string}`
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  /** Empty if nothing was measured yet, because a missing series is not a zero. */
  readonly samples: readonly Sample[]
}

type Described = Omit<Metric, 'kind' | 'samples'>

/** A gauge with one series; none if `value` is null or undefined. */
export function gauge(name: Described['name'], help: string, value: number | boolean | null | undefined): Metric {
  return { name, help, kind: 'gauge', samples: samplesOf(value) }
}

/** A counter with one series. */
export function counter(name: Described['name'], help: string, value: number): Metric {
  return { name, help, kind: 'counter', samples: samplesOf(value) }
}

/** A gauge with the given series. */
export function gauges(name: Described['name'], help: string, samples: readonly Sample[]): Metric {
  return { name, help, kind: 'gauge', samples }
}

/** One series for each thing whose value is not null. */
export function samplesOfEach<T>(
  things: readonly T[],
  labelsOf: (thing: T) => Readonly<Record<string, string>>,
  valueOf: (thing: T) => number | boolean | null,
): readonly Sample[] {
  return things.flatMap((thing) => samplesOf(valueOf(thing)).map(({ value }) => ({ labels: labelsOf(thing), value })))
}

/** One series for each state: 1 for the current one, 0 for the others. */
export function stateGauge(name: Described['name'], help: string, all: readonly string[], current: string): Metric {
  return gauges(
    name,
    help,
    all.map((state) => ({ labels: { state }, value: Number(state === current) })),
  )
}

/** Number of dropped lines, by stream. */
export function linesDropped(drops: OutputDrops): Metric {
  const samples = Object.entries(drops).map(([stream, value]) => ({ labels: { stream }, value: Number(value) }))
  const help = 'Lines of standard output and of the log (standard error) that were dropped.'
  return { name: 'macaroond_lines_dropped_total', help, kind: 'counter', samples }
}

function samplesOf(value: number | boolean | null | undefined): readonly Sample[] {
  return value === null || value === undefined ? [] : [{ value: Number(value) }]
}
