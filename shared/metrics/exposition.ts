/** Writes metrics as text in Prometheus' exposition format, with those of the process (memory, event loop, collections). */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { Metric } from './metric.ts'

/** `collect` is called for every answer. */
export class Exposition {
  static readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE
  readonly #collect: () => readonly Metric[]
  readonly #process = new Registry()

  constructor(collect: () => readonly Metric[]) {
    this.#collect = collect
    collectDefaultMetrics({ register: this.#process })
  }

  async text(): Promise<string> {
    const now = new Registry()
    for (const metric of this.#collect()) register(metric, now)
    return Registry.merge([now, this.#process]).metrics()
  }

  close(): void {
    this.#process.clear()
  }
}

/** Registers one metric. The node keeps its own counts, so a registry is made anew for each answer. */
function register({ name, help, kind, samples }: Metric, registry: Registry): void {
  const labelNames = [...new Set(samples.flatMap(({ labels = {} }) => Object.keys(labels)))]
  const configuration = { name, help, labelNames, registers: [registry] }
  if (kind === 'counter') {
    const made = new Counter(configuration)
    for (const { labels = {}, value } of samples) made.inc(labels, value)
    return
  }
  const made = new Gauge(configuration)
  // A gauge without labels starts as 0, which would look like a measurement.
  if (samples.length === 0) made.remove()
  for (const { labels = {}, value } of samples) made.set(labels, value)
}
