/**
 * Regions on hosts of their own, cut off, stopped, killed and sent to another hour, while tokens are minted, exchanged,
 * verified and revoked: every promise is judged everywhere, all the time.
 *
 * `CHAOS_SEED` repeats a run's choices.
 */
import { expect, test } from 'vitest'
import { checkHistory } from '../../history/check.ts'
import { missedGates } from '../../history/gates.ts'
import { namespacesMissing } from '../network/namespaces.ts'
import { fakeTimeMissing } from './fake-time.ts'
import { cutRegion, cutServices, flap, kill, moveWallClock, stop } from './nemesis.ts'
import { boundsFor, runPartitions } from './run.ts'
import { servicesOf } from './stage.ts'

const { CI, CHAOS_SEED } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const LEASE_MS = 1_000
test('through cuts, stops, kills and moved clocks every revocation binds within its bound, and a global one at once', async () => {
  for (const missing of [namespacesMissing(), fakeTimeMissing()]) {
    if (missing !== undefined) console.log(`not all of this run is as it should be: ${missing}`)
    expect(CI === undefined ? undefined : missing, 'CI has all that this run needs').toBeUndefined()
  }
  const faults = [
    cutRegion('cut both ways', 'fra', 2_500),
    cutRegion('cut towards the replica', 'sin', 2_000),
    cutRegion('cut towards the primary', 'fra', 2_000),
    cutServices('cut both ways', 'sin', 800),
    flap('sin', 300, 6),
    stop('fra', 0.5 * LEASE_MS),
    stop('sin', 1.5 * LEASE_MS),
    stop('primary', 1.5 * LEASE_MS),
    stop('fra', 10 * LEASE_MS),
    kill('sin', 200),
    kill('primary', 200),
    kill('fra-worker-1', 100),
    moveWallClock('fra', -7_200, 1_500),
    moveWallClock('sin', 7_200, 1_500),
    moveWallClock('primary', -7_200, 1_500),
    moveWallClock('primary', 7_200, 1_500),
  ]
  const say = (line: string): void => console.log(line)
  const events = await runPartitions({ seed: SEED, leaseMs: LEASE_MS, faults, say })
  const { violations, counts, worstAcceptanceMs } = checkHistory(events, boundsFor(LEASE_MS))
  console.log(
    `worst acceptance ${worstAcceptanceMs.toFixed(1)} ms after its acknowledgement; ${JSON.stringify(counts)}`,
  )
  const gates = { insideBound: 500, afterBound: 500, afterGlobal: 200, leased: 50, unleased: 100 }
  const bites = { 'cut both ways': 2, flapping: 1, stopped: 4, killed: 3, 'wall clock moved': 4 } as const
  const owed = fakeTimeMissing() === undefined ? bites : { ...bites, 'wall clock moved': 0 }
  expect(missedGates(events, counts, { ...gates, faults: owed })).toEqual([])
  expect(violations).toEqual([])
  // A service that is cut off from its replica has nobody to ask, as long as it keeps no verified tokens itself.
  const withReplica = events.filter((event) => event.t !== 'fault' || event.target !== servicesOf('sin'))
  const { leased, leasedAnswered } = checkHistory(withReplica, boundsFor(LEASE_MS)).counts
  expect(leasedAnswered).toBe(leased)
})
