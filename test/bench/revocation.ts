/**
 * Measures the time from a call of `revoke` in the signer's SDK until the worker's SDK, which asks without a pause, sees the
 * refusal.
 */
import type { Cluster } from './cluster.ts'
import type { Plan } from './plan.ts'
import type { Row } from './report.ts'
import { maximum, percentile } from './statistics.ts'

const WARM_UP = { tokens: 20, seconds: 5 }

export async function measureRevocation({ client }: Cluster, { revocations }: Plan): Promise<Row[]> {
  await client.call('revoke', WARM_UP)
  const { refusedNs, durableNs } = await client.call('revoke', revocations)
  return [...rowsOf('refused at the replica', refusedNs), ...rowsOf('acknowledged: on a replica’s disk', durableNs)]
}

function rowsOf(name: string, samplesNs: readonly number[]): Row[] {
  const common = { section: 'Revocation, SDK to SDK, from the call of revoke', unit: 'ms' }
  const samples = samplesNs.map((sample) => sample / 1e6)
  return [
    { ...common, name: `${name}: p50`, value: percentile(samples, 0.5), detail: `n = ${samples.length}` },
    {
      ...common,
      name: `${name}: p99`,
      value: percentile(samples, 0.99),
      detail: `max ${maximum(samples).toFixed(1)} ms`,
    },
  ]
}
