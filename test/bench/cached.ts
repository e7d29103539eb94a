/** What the lease, the clocks and the state that a verdict carries add to a hit in the worker's cache. */
import type { CachedCalls } from './cached-child.ts'
import type { Plan } from './plan.ts'
import { Child } from './process.ts'
import type { Row } from './report.ts'
import { median } from './statistics.ts'

const AIM_NS = 60
/** Of all tokens, before the other way is measured. */
const ROUNDS = 100

export async function measureCached({ cached }: Plan): Promise<Row[]> {
  const child = new Child<CachedCalls>('cached-child.ts')
  try {
    for (let round = 0; round < 4; round += 1) await child.call('round', { rounds: ROUNDS, swap: false })
    const rounds: { withNs: number; withoutNs: number }[] = []
    for (let round = 0; round < cached.rounds; round += 1)
      rounds.push(await child.call('round', { rounds: ROUNDS, swap: round % 2 === 1 }))
    const common = { section: 'Exact hit in the worker’s cache, 5 caveats, 1,000 live tokens', unit: 'ns' }
    const differences = rounds.map(({ withNs, withoutNs }) => withNs - withoutNs)
    const spread = `${cached.rounds} interleaved rounds, ${Math.round(Math.min(...differences))} to ${Math.round(Math.max(...differences))}`
    return [
      { ...common, name: 'without freshness', value: median(rounds.map(({ withoutNs }) => withoutNs)) },
      { ...common, name: 'as it is', value: median(rounds.map(({ withNs }) => withNs)) },
      { ...common, name: 'difference', value: median(differences), target: { atMost: AIM_NS }, detail: spread },
    ]
  } finally {
    await child.end()
  }
}
