/** What a caller waits while another one is at a limit of its own, and how long the off-boarding of many subjects takes. */
import type { Cluster } from './cluster.ts'
import { GREEDY_FOR, type GreedyCalls } from './greedy-child.ts'
import type { Plan } from './plan.ts'
import { Child } from './process.ts'
import type { Row } from './report.ts'
import { percentile } from './statistics.ts'

const SECTION = 'One caller’s calls while another one is at its limit'
const OFF_BOARDED = 1_000
const OFF_BOARDING_MS_MAX = 2_000

export async function measureNeighbours(cluster: Cluster, plan: Plan): Promise<Row[]> {
  const { milliseconds, mints } = plan.neighbours
  const rows = await rowsBeside(cluster, 'nobody else', milliseconds)
  const greedy = new Child<GreedyCalls>('greedy-child.ts')
  try {
    await greedy.call('start', cluster.greedy)
    for (const what of GREEDY_FOR) {
      await greedy.call('begin', what)
      const beside = await rowsBeside(cluster, `one that ${what}`, milliseconds)
      const answers = await greedy.call('end', undefined)
      rows.push(...beside.map((row) => ({ ...row, detail: `${row.detail}; the other one had ${answers} answers` })))
    }
  } finally {
    await greedy.end()
  }
  return [...rows, await offBoarding(cluster, mints)]
}

async function rowsBeside({ client }: Cluster, who: string, milliseconds: number): Promise<Row[]> {
  const samples = await client.call('sample', milliseconds)
  return Object.entries(samples).map(([name, samplesNs]) => ({
    section: SECTION,
    name: `${name} beside ${who}: p99`,
    unit: 'ms',
    value: percentile(samplesNs, 0.99) / 1e6,
    detail: `p50 ${(percentile(samplesNs, 0.5) / 1e6).toFixed(1)} ms, n = ${samplesNs.length}`,
  }))
}

/** All revoked at once, as a script does it, each durable. */
async function offBoarding({ primary, client }: Cluster, mints: number): Promise<Row> {
  await primary.call('fill', { kind: 'mint', commands: mints })
  const ms = await client.call('offBoard', OFF_BOARDED)
  const name = `${OFF_BOARDED} subjects revoked at once, ${mints} mints on record`
  return { section: 'Off-boarding', name, unit: 'ms', value: ms, target: { atMost: OFF_BOARDING_MS_MAX } }
}
