/** A revocation, and how long it takes until every region refuses the token, watched over warm connections. */
import { systemClock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { READ, type RegionRefusal, type TourCluster } from './stage.ts'
import { hold, type TourStep } from './step.ts'

/** Far above what it takes; a region that has not refused by then never will. */
const REFUSED_WITHIN_MS = 5_000

export const tokenRevoked: TourStep = {
  title: 'token revoked',
  run: async (stage) => {
    const startMs = systemClock.monotonicMs()
    for (const region of stage.regions) stage.refusals.set(region, watch(stage, region, startMs))
    const { seq, durability } = await stage.signer.revoke({ token: stage.minted.token, reason: 'tour' })
    const ms = systemClock.monotonicMs() - startMs
    // Its failure is the failure of the next steps, not an unhandled one meanwhile.
    for (const refusal of stage.refusals.values()) refusal.catch(() => undefined)
    hold(durability === 'replica', `it is durable on ${durability} only`)
    return { ms, detail: `revocation ${seq}, acknowledged once it was on a replica’s disk` }
  },
}

export function refusedIn(region: string): TourStep {
  return {
    title: `refused in ${region}`,
    run: async (stage) => {
      const refusal = await stage.refusals.get(region)
      hold(refusal !== undefined, `${region} was not watched`)
      const verdict = await stage.verify(region, stage.attenuated, READ)
      hold(!verdict.ok && verdict.reason === 'revoked', 'what was made from the token is still accepted')
      const { ms, acceptedBefore } = refusal
      return {
        ms,
        detail: `since the call began; ${acceptedBefore} times accepted before; what was made from it is refused too`,
      }
    },
  }
}

/** Asks again and again until the token is refused as revoked. */
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
