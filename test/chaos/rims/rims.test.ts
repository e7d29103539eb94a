/**
 * Everything around a cluster fails at once: logs that are full, an archive that lies, clocks that jump, a signer that means
 * harm, programs that hold a transaction on every database; and now and then the primary is killed. Tokens are minted, verified
 * and revoked all the time. `CHAOS_SECONDS` says for how long, a minute without it; `CHAOS_SEED` repeats a run's choices.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FRESHNESS_DEFAULTS } from '../../../shared/freshness/bound.ts'
import { keepEvidence } from '../../evidence/file.ts'
import { rounded } from '../../evidence/record.ts'
import { checkHistory } from '../../history/check.ts'
import type { HistoryEvent } from '../../history/event.ts'
import { effectsOf, missedCounts, missedFaults } from '../../history/gates.ts'
import { monotonicMs } from '../partition/clock.ts'
import { fakeTimeMissing } from '../partition/fake-time.ts'
import { lastLook } from '../partition/last-look.ts'
import { Load } from '../partition/load.ts'
import { boundsFor, timeOrdered, warm } from '../partition/run.ts'
import { Testbed } from '../partition/testbed.ts'
import { Random } from '../random.ts'
import { Rims } from './rims.ts'
import { causesOf, unanswered } from './unanswered.ts'

const { CI, CHAOS_SEED, CHAOS_SECONDS = '60' } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const SECONDS = Number(CHAOS_SECONDS)
/** As configured without a word. */
const LEASE_MS = FRESHNESS_DEFAULTS.lease_ms
const BOUNDS = boundsFor(LEASE_MS)
/** What a service waits for an answer if nobody tells it otherwise. */
const ASK_MS = 5_000
const EFFECTS_MIN = {
  'log full': 2,
  'archive lies': 2,
  'long reader': 2,
  'hostile signer': 2,
  killed: 1,
  'wall clock moved': 4,
}

interface Ran {
  readonly events: readonly HistoryEvent[]
  readonly found: readonly string[]
  readonly sinceMs: number
}

async function run(say: (line: string) => void): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-rims-'))
  const rims = await Rims.build(folder)
  let testbed: Testbed | undefined
  let found: readonly string[] | undefined
  try {
    testbed = await Testbed.create({ leaseMs: LEASE_MS, namespaces: false, timeoutMs: ASK_MS, ...rims.testbed })
    const load = await Load.start(testbed, { random: new Random(SEED), watchMs: 2.5 * BOUNDS.revocationMs })
    await warm(testbed)
    const sinceMs = monotonicMs()
    await rims.fail(testbed, { random: new Random(SEED + 1), seconds: SECONDS, say })
    await load.stop()
    found = await lastLook(testbed, load)
    return { events: timeOrdered(testbed.events), found, sinceMs }
  } finally {
    const keep = found === undefined || found.length > 0
    await testbed?.close({ keep })
    if (keep) console.log(rims.logged)
    await rims.close()
    if (!keep) rmSync(folder, { recursive: true, force: true })
    else console.log(`files are in ${folder} and ${testbed?.cluster.root}`)
  }
}

test('no answer is wrong or missing and nothing acknowledged is lost while every rim fails', async () => {
  expect(CI === undefined ? undefined : fakeTimeMissing(), 'CI has all that this run needs').toBeUndefined()
  const said = [`seed ${SEED}, ${SECONDS} s`]
  const startedMs = performance.now()
  const { events, found, sinceMs } = await run((line) => void said.push(line))
  const { violations, counts, worstAcceptanceMs } = checkHistory(events, BOUNDS)
  const missing = unanswered(events, sinceMs)
  const faults = effectsOf(events)
  said.push(
    JSON.stringify({ counts, faults, worstAcceptanceMs: Math.round(worstAcceptanceMs), missing: missing.length }),
  )
  const timeOf = (ms: number): string => ((ms - sinceMs) / 1_000).toFixed(1)
  if (missing.length > 0)
    for (const event of events.filter((one) => one.t === 'fault'))
      said.push(
        `${timeOf(event.from)} to ${timeOf(event.until)} s: ${event.kind} of ${event.target}, effect ${event.effect}`,
      )
  console.log(said.join('\n'))
  keepEvidence({
    t: 'processes',
    suite: 'every rim failing at once',
    runs: 1,
    wallSeconds: rounded((performance.now() - startedMs) / 1_000),
    counts,
    faults,
    violations: violations.map(({ rule, what }) => `seed ${SEED}: ${rule}: ${what}`),
    worst: Math.round((worstAcceptanceMs / BOUNDS.revocationMs) * 1_000) / 1_000,
  })
  expect(violations).toEqual([])
  expect(causesOf(missing, sinceMs)).toEqual([])
  expect(found).toEqual([])
  const gates = { verifications: 5_000, insideBound: 200, afterBound: 200, afterGlobal: 100 }
  // A node that is away just then says nothing of its log, and nothing is written while the primary is.
  const effective = events.filter((event) => event.t !== 'fault' || event.effect > 0)
  expect([...missedCounts('all', counts, gates), ...missedFaults(effective, EFFECTS_MIN)]).toEqual([])
})
