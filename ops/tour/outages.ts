/**
 * Steps of the tour that kill nodes: verification goes on without the primary for one lease, then every region says
 * `unavailable`, and each node catches up after a restart.
 */
import { setTimeout } from 'node:timers/promises'
import type { NodeSpec } from '../cluster/folder.ts'
import { systemClock } from '../../shared/clock.ts'
import { FRESHNESS_DEFAULTS, revocationBoundMs } from '../../shared/freshness/bound.ts'
import { acceptedEverywhere } from './mint-and-verify.ts'
import { ORG, READ, type TourCluster } from './stage.ts'
import { requireThat, type TourStep } from './step.ts'

const ROUNDS_WITHOUT_PRIMARY = 100
/** Between two verifications while a lease runs out. */
const LEASE_POLL_MS = 50
const MINTED_MEANWHILE = 20

/** Kills the primary and verifies in every region. The rounds take less than a lease, so every answer must be an acceptance. */
export const primaryKilled: TourStep = {
  title: 'primary killed, verified on',
  run: async (stage) => {
    const { cluster, regions } = stage
    const { primary } = cluster.folder
    const pid = cluster.pidOf(primary)
    await cluster.kill(primary)
    const startMs = systemClock.monotonicMs()
    for (let round = 0; round < ROUNDS_WITHOUT_PRIMARY; round++) await acceptedEverywhere(stage, stage.attenuated)
    const ms = systemClock.monotonicMs() - startMs
    const count = ROUNDS_WITHOUT_PRIMARY * regions.length
    requireThat(cluster.pidOf(primary) === undefined, 'the primary runs')
    const each = `${(ms / ROUNDS_WITHOUT_PRIMARY).toFixed(2)} ms a round`
    return { detail: `SIGKILL to pid ${pid}; then ${count} of ${count} accepted in ${regions.join(' and ')}, ${each}` }
  },
}

/** Waits the leases out. Then a region could not hear of a revocation, so it must neither accept nor refuse the token. */
export const leaseWaitedOut: TourStep = {
  title: 'lease over: unavailable',
  run: async (stage) => {
    const { regions } = stage
    const accepted = await Promise.all(regions.map((region) => acceptancesUntilUnavailable(stage, region)))
    const count = accepted.reduce((sum, one) => sum + one, 0)
    return {
      detail: `${count} more accepted; then ${regions.join(' and ')} say "unavailable", not "invalid": no revocation could reach them`,
    }
  },
}

/** Throws tour_failed if the region still accepts after the bound, or refuses the token. */
async function acceptancesUntilUnavailable(stage: TourCluster, region: string): Promise<number> {
  const startMs = systemClock.monotonicMs()
  const boundMs = revocationBoundMs(FRESHNESS_DEFAULTS)
  for (let accepted = 0; ; accepted++) {
    const verdict = await stage.verify(region, stage.attenuated, READ)
    if (!verdict.ok) {
      requireThat(verdict.reason === 'unavailable', `${region} refused the token: ${verdict.message}`)
      return accepted
    }
    requireThat(systemClock.monotonicMs() - startMs < boundMs, `${region} still accepts after ${boundMs} ms`)
    await setTimeout(LEASE_POLL_MS)
  }
}

/** The regions answer again because the primary renews their leases. */
export const primaryRestarted: TourStep = {
  title: 'primary restarted, all answer',
  run: async (stage) => {
    const { cluster, regions, signer } = stage
    const { primary } = cluster.folder
    await cluster.startNode(primary)
    await cluster.untilServing()
    const { id } = await signer.mint({ org: ORG, subject: 'bob' })
    await acceptedEverywhere(stage, stage.attenuated)
    return { detail: `pid ${cluster.pidOf(primary)}, minted ${id}; ${regions.join(' and ')} accept again` }
  },
}

/** Kills the replica of a region, writes without it, restarts it, and waits until it has caught up. */
export function replicaKilled(region: string): TourStep {
  return {
    title: `replica ${region} killed, caught up`,
    run: async (stage) => {
      const { cluster, signer } = stage
      const node = cluster.nodes.find((candidate): candidate is NodeSpec => candidate.region === region)
      requireThat(node !== undefined, `there is no replica in ${region}`)
      await cluster.kill(node)
      let last = await signer.mint({ org: ORG, subject: 'carol 1' })
      for (let n = 2; n <= MINTED_MEANWHILE; n++) last = await signer.mint({ org: ORG, subject: `carol ${n}` })
      const startMs = systemClock.monotonicMs()
      await cluster.startNode(node)
      await cluster.untilServing()
      const verdict = await stage.verify(region, last.token, READ, last.position)
      requireThat(verdict.ok, verdict.ok ? '' : `refused: ${verdict.message}`)
      const ms = systemClock.monotonicMs() - startMs
      return { ms, detail: `SIGKILL, ${MINTED_MEANWHILE} tokens minted without it; back at txid ${verdict.txid}` }
    },
  }
}
