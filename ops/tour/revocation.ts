/** Steps of the tour that revoke a token and measure, over open connections, how soon every region refuses it. */
import { systemClock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { READ, type RegionRefusal, type TourCluster } from './stage.ts'
import { requireThat, type TourStep } from './step.ts'

/** Far longer than a revocation takes. A region that still accepts the token after this time is broken. */
const REFUSED_WITHIN_MS = 5_000

export const tokenRevoked: TourStep = {
  title: 'token revoked',
  run: async (stage) => {
    const startMs = systemClock.monotonicMs()
    // The regions are watched from before the call, so that the measured time includes all of it.
    for (const region of stage.regions) stage.refusals.set(region, watch(stage, region, startMs))
    const { seq, durability } = await stage.signer.revoke({ token: stage.minted.token, reason: 'tour' })
    const ms = systemClock.monotonicMs() - startMs
    // A later step awaits this promise and reports its error; until then it must not count as unhandled.
    for (const refusal of stage.refusals.values()) refusal.catch(() => undefined)
    requireThat(durability === 'replica', `it is durable on ${durability} only`)
    return { ms, detail: `revocation ${seq}, acknowledged once it was on a replica’s disk` }
  },
}

/** Reports when the region first refused the token, and that it refuses a token attenuated from it too. */
export function refusedIn(region: string): TourStep {
  return {
    title: `refused in ${region}`,
    run: async (stage) => {
      const refusal = await stage.refusals.get(region)
      requireThat(refusal !== undefined, `${region} was not watched`)
      const verdict = await stage.verify(region, stage.attenuated, READ)
      requireThat(!verdict.ok && verdict.reason === 'revoked', 'a token made from the revoked one is still accepted')
      const { ms, acceptedBefore } = refusal
      return {
        ms,
        detail: `since the call began; ${acceptedBefore} acceptances before; a token attenuated from it is refused too`,
      }
    },
  }
}

/** Verifies repeatedly until the token is refused as revoked. Throws tour_failed. */
async function watch(stage: TourCluster, region: string, startMs: number): Promise<RegionRefusal> {
  for (let acceptedBefore = 0; ; acceptedBefore++) {
    const verdict = await stage.verify(region, stage.minted.token, READ)
    const ms = systemClock.monotonicMs() - startMs
    if (!verdict.ok && verdict.reason === 'revoked') return { ms, acceptedBefore, txid: verdict.txid }
    if (!verdict.ok) throw new MacaroondError('tour_failed', `${region} answered: ${verdict.message}`)
    if (ms > REFUSED_WITHIN_MS)
      throw new MacaroondError('tour_failed', `${region} still accepts it after ${REFUSED_WITHIN_MS} ms`)
  }
}
