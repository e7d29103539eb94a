/**
 * Regions on hosts of their own, cut off, slowed, stopped, killed and sent to another hour, while tokens are minted,
 * exchanged, verified and revoked: every promise is judged everywhere, all the time, for services that keep what they
 * verified as for those that ask every time.
 *
 * `CHAOS_SEED` repeats a run's choices, `CHAOS_EVIDENCE` names the file that what was seen is added to.
 */
import { expect, test } from 'vitest'
import { keepEvidence } from '../../evidence/file.ts'
import { rounded } from '../../evidence/record.ts'
import { checkHistory, type Verdict } from '../../history/check.ts'
import type { HistoryEvent, VerifyEvent } from '../../history/event.ts'
import { effectsOf, type CountGates, missedCounts, missedFaults } from '../../history/gates.ts'
import { namespacesMissing } from '../network/namespaces.ts'
import { fakeTimeMissing } from './fake-time.ts'
import { cutRegion, cutServices, everSlower, flap, kill, moveWallClock, slowServices, stop } from './nemesis.ts'
import { boundsFor, runPartitions } from './run.ts'
import { isCaching, REGIONS, servicesOf } from './testbed.ts'

const { CI, CHAOS_SEED } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const LEASE_MS = 1_000
const BOUNDS = boundsFor(LEASE_MS)

const FAULTS = [
  cutRegion('cut both ways', 'fra', 2_500),
  cutRegion('cut towards the replica', 'sin', 2_000),
  cutRegion('cut towards the primary', 'fra', 2_000),
  cutServices('cut both ways', 'sin', 2_500),
  cutServices('cut towards the replica', 'fra', 2_000),
  slowServices('fra', 0.6 * LEASE_MS, 2_000),
  everSlower('sin', [300, 600, 900, 1_200, 1_500], 2.5 * LEASE_MS),
  flap('sin', 300, 6),
  stop('fra', 0.5 * LEASE_MS),
  stop('sin', 1.5 * LEASE_MS),
  stop('primary', 1.5 * LEASE_MS),
  stop('fra', 10 * LEASE_MS),
  stop('sin-worker', 0.5 * LEASE_MS),
  stop('fra-worker', 1.5 * LEASE_MS),
  stop('sin-worker', 10 * LEASE_MS),
  kill('sin', 200),
  kill('primary', 200),
  kill('fra-worker', 100),
  kill('sin-probe', 100),
  moveWallClock('fra', -7_200, 1_500),
  moveWallClock('sin', 7_200, 1_500),
  moveWallClock('primary', -7_200, 1_500),
  moveWallClock('primary', 7_200, 1_500),
  moveWallClock('fra-worker', -7_200, 1_500),
  moveWallClock('sin-worker', 7_200, 1_500),
]

const EFFECTS_MIN = {
  'cut both ways': 2,
  'cut towards the replica': 2,
  'cut towards the primary': 1,
  'slow link': 1,
  'delivered late': 1,
  flapping: 1,
  stopped: 7,
  killed: 4,
  'wall clock moved': fakeTimeMissing() === undefined ? 6 : 0,
} as const

type Chosen = (event: VerifyEvent) => boolean
const CACHING: Chosen = ({ proc }) => isCaching(proc)
const PROBES: Chosen = ({ proc }) => !isCaching(proc)
const CACHED: Chosen = ({ cached }) => cached === true

const SERVICE: CountGates = { insideBound: 400, afterBound: 400, afterGlobal: 200, leased: 30, unleased: 100 }
const GATES: readonly (readonly [who: string, chosen: Chosen, gates: CountGates])[] = [
  ['caching services', CACHING, SERVICE],
  ['probes', PROBES, SERVICE],
  // Accepted after the acknowledgement, because that could not reach the cache: the bound is what ends it.
  ['caches alone', CACHED, { verifications: 5_000, insideBound: 10, leased: 30 }],
]

test('every revocation binds within its bound, through cuts, stops, kills and moved clocks', async () => {
  for (const missing of [namespacesMissing(), fakeTimeMissing()]) {
    if (missing !== undefined) console.log(`not all of this run is as it should be: ${missing}`)
    expect(CI === undefined ? undefined : missing, 'CI has all that this run needs').toBeUndefined()
  }
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  const startedMs = performance.now()
  const events = await runPartitions({ seed: SEED, leaseMs: LEASE_MS, faults: FAULTS, slowLinks: true, say })
  const { violations, counts, worstAcceptanceMs } = checkHistory(events, BOUNDS)
  keepEvidence({
    t: 'processes',
    suite: 'regions cut off, stopped, killed, sent to another hour',
    runs: 1,
    wallSeconds: rounded((performance.now() - startedMs) / 1_000),
    counts,
    faults: effectsOf(events),
    violations: violations.map(({ rule, what }) => `seed ${SEED}: ${rule}: ${what}`),
    worst: Math.round((worstAcceptanceMs / BOUNDS.revocationMs) * 1_000) / 1_000,
  })
  const inReach = events.filter((event) => event.t !== 'fault' || !SERVICE_HOSTS.includes(event.target))
  const cutOff = events.filter((event) => event.t !== 'fault' || SERVICE_HOSTS.includes(event.target))
  for (const [who, chosen] of GATES) said.push(described(who, checkHistory(events, BOUNDS, chosen)))
  said.push(`revocations: ${kindsOf(events)}`)
  const alone = availability(cutOff, CACHING)
  said.push(`of services cut off from their replica, inside their lease: ${JSON.stringify(alone)}`)
  console.log(said.join('\n'))

  const missed = GATES.flatMap(([who, chosen, gates]) =>
    missedCounts(who, checkHistory(events, BOUNDS, chosen).counts, gates),
  )
  expect([...missed, ...missedFaults(events, EFFECTS_MIN)]).toEqual([])
  expect(violations).toEqual([])
  const ended = events.flatMap((event) => (event.t === 'revoke' && event.result === 'ok' ? [event.named.kind] : []))
  expect(new Set(ended)).toEqual(new Set(['token', 'subject', 'org', 'key', 'disabled']))
  for (const chosen of [CACHING, PROBES]) {
    const { leased, answered } = availability(inReach, chosen)
    expect(answered).toBe(leased)
  }
  // Without its replica a service answers what it has verified before; what is new to it, it cannot know.
  expect(alone.leased).toBeGreaterThanOrEqual(10)
  expect(alone.answered / alone.leased).toBeGreaterThan(0.8)
})

const SERVICE_HOSTS: readonly string[] = REGIONS.map(servicesOf)

function availability(events: readonly HistoryEvent[], chosen: Chosen): { leased: number; answered: number } {
  const { leased, leasedAnswered: answered } = checkHistory(events, BOUNDS, chosen).counts
  return { leased, answered }
}

function described(who: string, { worstAcceptanceMs, violations, counts }: Verdict): string {
  const afterGlobal = violations.filter(({ rule }) => rule === 'S2').length
  const worst = `worst acceptance ${worstAcceptanceMs.toFixed(1)} ms after its acknowledgement (B = ${BOUNDS.revocationMs} ms)`
  return `${who}: ${worst}, ${afterGlobal} after a global wait; ${JSON.stringify(counts)}`
}

function kindsOf(events: readonly HistoryEvent[]): string {
  const calls = events.filter((event) => event.t === 'revoke')
  const kinds = Map.groupBy(calls, ({ named, wait, result }) => `${named.kind} ${result === 'ok' ? wait : result}`)
  return [...kinds].map(([kind, { length }]) => `${kind} ${length}`).join(', ')
}
