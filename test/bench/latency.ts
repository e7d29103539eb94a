/** Measures the time from the return of COMMIT at the primary until the row can be read at the replica, by rate of commits. */
import type { Cluster } from './cluster.ts'
import type { PaceParams } from './load.ts'
import type { Plan } from './plan.ts'
import type { Row } from './report.ts'
import { maximum, percentile } from './statistics.ts'

const P50_AIM_MS = 1
const NOUNS = { mint: 'mint', revoke: 'revocation' } as const
/** Commits that are run before a rate is measured. */
const WARM_UP = 500

export async function measureLatency(cluster: Cluster, plan: Plan): Promise<Row[]> {
  await cluster.primary.call('pace', { kind: 'mint', commands: WARM_UP, perSecond: 1000 })
  const rows: Row[] = []
  for (const kind of ['mint', 'revoke'] as const) {
    for (const rate of plan.latency[kind]) rows.push(...(await measureRate(cluster, { kind, ...rate })))
  }
  return rows
}

async function measureRate({ primary, replica }: Cluster, params: PaceParams): Promise<Row[]> {
  const { kind, perSecond } = params
  await replica.call('keepVisible', true)
  const commits = await primary.call('pace', params)
  await replica.call('reached', commits.txids.at(-1) ?? Infinity)
  const visible = await replica.call('keepVisible', false)
  const seenNs = new Map(visible.txids.map((txid, index) => [txid, visible.atNs[index] ?? NaN]))
  const samples = commits.txids.map((txid, index) => ((seenNs.get(txid) ?? NaN) - (commits.atNs[index] ?? NaN)) / 1e6)
  if (samples.length === 0 || samples.some((sample) => Number.isNaN(sample))) {
    throw new Error('not every commit was seen at the replica')
  }
  const elapsedNs = (commits.atNs.at(-1) ?? 0) - (commits.atNs[0] ?? 0)
  const achieved = `${Math.round(((samples.length - 1) / elapsedNs) * 1e9)}/s measured, n = ${samples.length}`
  const common = { section: `Commit to visible at a replica, loopback: a ${NOUNS[kind]} a commit`, unit: 'ms' }
  const p50 = percentile(samples, 0.5)
  return [
    { ...common, name: `${perSecond} commits/s: p50`, value: p50, target: { below: P50_AIM_MS }, detail: achieved },
    {
      ...common,
      name: `${perSecond} commits/s: p99`,
      value: percentile(samples, 0.99),
      detail: `max ${maximum(samples).toFixed(1)} ms`,
    },
  ]
}
