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
    const [withNs, without] = [rounds.map((round) => round.withNs), rounds.map(({ withoutNs }) => withoutNs)]
    // The quietest round of each: whatever else the machine does only adds to a round, caches and clock rate included.
    const [least, leastWithout] = [Math.min(...withNs), Math.min(...without)]
    const medians = `${cached.rounds} interleaved rounds; medians differ by ${Math.round(median(withNs) - median(without))}`
    return [
      { ...common, name: 'without freshness', value: leastWithout },
      { ...common, name: 'as it is', value: least },
      { ...common, name: 'difference', value: least - leastWithout, target: { atMost: AIM_NS }, detail: medians },
    ]
  } finally {
    await child.end()
  }
}
