/**
 * Regions on hosts of their own, cut off, stopped, killed and sent to another hour, while tokens are minted, exchanged,
 * verified and revoked. Freshness leases are not there yet, so a region that a fault keeps the news from goes on with what it
 * has: there, and for the two seconds of V2 after it, the bounds in time (S1, S4) are not judged. Everywhere else they are.
 *
 * `CHAOS_SEED` repeats a run's choices.
 */
import { expect, test } from 'vitest'
import { checkHistory, type Rule, type Violation } from '../../history/check.ts'
import type { FaultEvent } from '../../history/event.ts'
import { missedGates } from '../../history/gates.ts'
import { namespacesMissing } from '../network/namespaces.ts'
import { fakeTimeMissing } from './fake-time.ts'
import { cutRegion, cutServices, flap, kill, moveWallClock, stop } from './nemesis.ts'
import { boundsFor, runPartitions } from './run.ts'
import { servicesOf } from './stage.ts'

const { CI, CHAOS_SEED } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const LEASE_MS = 1_000
/** Rules that need a lease to hold where news does not arrive. */
const WITH_LEASES: ReadonlySet<Rule> = new Set(['S1', 'S4'])
const CATCH_UP_MS = 2_000

/** A fault at the primary keeps the news from everybody. */
function isExcused({ rule, event }: Violation, faults: readonly FaultEvent[]): boolean {
  if (!WITH_LEASES.has(rule) || event.t !== 'verify') return false
  return faults.some(({ target, from, until }) => {
    const reaches = ['primary', event.region, event.host, event.proc].includes(target)
    return reaches && event.ret >= from && event.inv <= until + CATCH_UP_MS
  })
}

test('through cuts, stops, kills and moved clocks no node relapses, forgets, invents or answers from the past', async () => {
  for (const missing of [namespacesMissing(), fakeTimeMissing()]) {
    if (missing !== undefined) console.log(`not all of this run is as it should be: ${missing}`)
    expect(CI === undefined ? undefined : missing, 'CI has all that this run needs').toBeUndefined()
  }
  const faults = [
    cutRegion('cut both ways', 'fra', 2_000),
    cutRegion('cut towards the replica', 'sin', 1_500),
    cutRegion('cut towards the primary', 'fra', 1_500),
    cutServices('cut both ways', 'sin', 800),
    flap('sin', 300, 4),
    stop('fra', 1_500),
    kill('sin', 200),
    kill('primary', 200),
    kill('fra-worker-1', 100),
    moveWallClock('fra', -7_200, 1_500),
  ]
  const say = (line: string): void => console.log(line)
  const events = await runPartitions({ seed: SEED, leaseMs: LEASE_MS, faults, say })
  const { violations, counts } = checkHistory(events, boundsFor(LEASE_MS))
  const gates = { insideBound: 500, afterBound: 500, afterGlobal: 0, leased: 50, unleased: 100 }
  const bites = { 'cut both ways': 2, flapping: 1, stopped: 1, killed: 3, 'wall clock moved': 1 } as const
  const owed = fakeTimeMissing() === undefined ? bites : { ...bites, 'wall clock moved': 0 }
  expect(missedGates(events, counts, { ...gates, faults: owed })).toEqual([])
  const inflicted = events.filter((event) => event.t === 'fault')
  expect(violations.filter((violation) => !isExcused(violation, inflicted))).toEqual([])
  // A service that is cut off from its replica has nobody to ask, as long as it keeps no verified tokens itself.
  const withReplica = events.filter((event) => event.t !== 'fault' || event.target !== servicesOf('sin'))
  const { leased, leasedAnswered } = checkHistory(withReplica, boundsFor(LEASE_MS)).counts
  expect(leasedAnswered).toBe(leased)
})
