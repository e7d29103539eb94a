/** Verifications a second: the verifier alone on one core, and through the `verify` channel with many calls in flight. */
import type { Cluster } from './cluster.ts'
import type { Plan } from './plan.ts'
import { Child } from './process.ts'
import type { Row } from './report.ts'
import { median } from './statistics.ts'
import type { VerifyCalls } from './verify-child.ts'

const CAVEATS = [1, 5, 20]
const REVOCATIONS = 1_000_000
const IN_FLIGHT = [1, 64]

export async function measureVerifier({ verification }: Plan): Promise<Row[]> {
  const child = new Child<VerifyCalls>('verify-child.ts')
  try {
    const { bytes } = await child.call('revoke', REVOCATIONS)
    const results = new Map(CAVEATS.map((caveats) => [caveats, [] as number[]]))
    for (let round = -1; round < verification.rounds; round += 1) {
      for (const caveats of CAVEATS) {
        const perSecond = await child.call('run', { caveats, milliseconds: verification.milliseconds })
        if (round >= 0) results.get(caveats)?.push(perSecond)
      }
    }
    const common = { section: 'Verifier in process, one core, 1,000 live tokens, 1,000,000 revocations', unit: '/s' }
    return [...results].map(([caveats, rates]) => ({
      ...common,
      name: `${caveats} caveat${caveats === 1 ? '' : 's'}`,
      value: median(rates),
      detail: `${(1e6 / median(rates)).toFixed(2)} us each; table ${(bytes / 1e6).toFixed(0)} MB`,
    }))
  } finally {
    await child.end()
  }
}

/** A replica answers a worker's SDK; both sides and their encryption count. */
export async function measureChannel({ client, replica }: Cluster, { verification }: Plan): Promise<Row[]> {
  const rows: Row[] = []
  const common = { section: 'Verify channel, worker SDK to replica, 5 caveats', unit: '/s' }
  for (const inFlight of IN_FLIGHT) {
    const params = { milliseconds: verification.milliseconds * verification.rounds, inFlight }
    await client.call('verify', { ...params, milliseconds: verification.milliseconds })
    const before = await replica.call('cpu', undefined)
    const { verdicts, perSecond } = await client.call('verify', params)
    const after = await replica.call('cpu', undefined)
    const coreSeconds = (after.user + after.system - before.user - before.system) / 1e6
    const calls = `${inFlight} call${inFlight === 1 ? '' : 's'} in flight`
    rows.push({ ...common, name: calls, value: perSecond, detail: `${(1e6 / perSecond).toFixed(0)} us each` })
    rows.push({ ...common, name: `${calls}: a second of the replica’s core`, value: verdicts / coreSeconds })
  }
  return rows
}
