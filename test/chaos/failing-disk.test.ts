/**
 * Primary and replica under load, while the disk of one of them fails: at every kind of call on every kind of their files, with
 * errors, a full disk, failed syncs, no descriptors left, interruptions. After a failed sync a power cut may take what it was to
 * keep.
 *
 * `CHAOS_SEED` repeats a run's choices, `CHAOS_ERRORS` sets how many calls of each node fail (`all` for every one),
 * `CHAOS_FAULT` (a regular expression) leaves only some of them, for a look at a failure. `CHAOS_EVIDENCE` names the file that
 * what was seen is added to.
 */
import { expect, test } from 'vitest'
import { keepEvidence } from '../evidence/file.ts'
import { NOTHING_COUNTED, rounded } from '../evidence/record.ts'
import { type DiskFault, faultName, faultsOf, CLASSES, type ErrorClass } from './errors/disk-faults.ts'
import { type Outcome, DiskFaultRun } from './errors/disk-fault-run.ts'
import type { Role } from './kill-point/points.ts'
import { Random } from './random.ts'
import { straceWorks } from './strace.ts'

const { CI, CHAOS_SEED, CHAOS_ERRORS, CHAOS_FAULT } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const ERRORS = CHAOS_ERRORS === 'all' ? Infinity : Number(CHAOS_ERRORS ?? (CI === undefined ? 40 : CLASSES.length))
/** Then another cluster begins: a small one starts faster. */
const ERRORS_A_CLUSTER = 20
/** A long run goes on after what must not be, to show whether there is more. */
const VIOLATIONS_MAX = 12
/** How often a call comes in a life depends on the machine: of the drawn faults, so many are reached. */
const HIT_SHARE_MIN = 0.4
/** Of a class of errors none of which was reached. */
const CHANCES = 3

const strace = straceWorks()

test('strace fails a call of a running node', () => {
  if (!strace) console.log('strace does not work here: no disk failed')
  expect(strace || CI === undefined, 'CI needs strace').toBe(true)
})

interface Sums {
  readonly outcomes: Outcome[]
  readonly refusals: Map<string, number>
  readonly violations: string[]
  verified: number
  refused: number
}

async function withRun<T>(role: Role, random: Random, use: (run: DiskFaultRun) => Promise<T>): Promise<T> {
  const run = await DiskFaultRun.create(role, random)
  let failed = true
  try {
    const result = await use(run)
    failed = false
    return result
  } finally {
    await run.remove(failed)
  }
}

/** Until one of them is followed by what must not be: then the others go on with another cluster. */
async function failAll(role: Role, random: Random, faults: DiskFault[], sums: Sums): Promise<void> {
  await withRun(role, random, async (run) => {
    for (const fault of faults.splice(0, ERRORS_A_CLUSTER)) {
      const outcome = await run.fail(fault)
      console.log(
        `${outcome.end}: ${faultName(fault)}${outcome.lostBytes > 0 ? `, ${outcome.lostBytes} bytes lost` : ''}`,
      )
      sums.outcomes.push(outcome)
    }
    await run.rest()
    for (const [code, count] of run.refusals) sums.refusals.set(code, (sums.refusals.get(code) ?? 0) + count)
    sums.verified += run.ledger.verified
    sums.refused += run.ledger.refusedAsRevoked
  })
}

/** What a primary and a replica write to by themselves while all is well. */
const WRITTEN: Readonly<Record<Role, readonly string[]>> = {
  primary: ['log'],
  replica: ['wal', 'index', 'journal', 'position'],
}

for (const role of ['primary', 'replica'] as const) {
  test(`a ${role} whose every write is done in parts goes on as if they were whole`, { timeout: 120_000 }, () =>
    withRun(role, new Random(SEED), async (run) => {
      expect(await run.writeInParts()).toEqual(expect.arrayContaining([...WRITTEN[role]]))
      await run.rest()
    }),
  )
}

async function failInTurn(role: Role, random: Random, faults: readonly DiskFault[], sums: Sums): Promise<void> {
  const waiting = [...faults]
  while (waiting.length > 0 && sums.violations.length < VIOLATIONS_MAX)
    await failAll(role, random, waiting, sums).catch((error: unknown) => {
      console.error(error)
      sums.violations.push(error instanceof Error ? error.message : String(error))
    })
}

/** Class by class, how its errors ended. */
function table(outcomes: readonly Outcome[]): string {
  return CLASSES.map((kind) => {
    const ends = outcomes.filter(({ fault }) => fault.class === kind).map(({ end }) => end)
    const counts = [...Map.groupBy(ends, (end) => end)].map(([end, all]) => `${all.length} ${end}`)
    return `  ${kind.padEnd(14)} ${counts.join(', ')}`
  }).join('\n')
}

function classesReached(outcomes: readonly Outcome[]): readonly ErrorClass[] {
  const reached = new Set(outcomes.filter(({ end }) => end !== 'not reached').map(({ fault }) => fault.class))
  return CLASSES.filter((kind) => reached.has(kind))
}

for (const role of ['primary', 'replica'] as const) {
  test.skipIf(!strace)(
    `a ${role} whose disk fails at any call goes on or exits with a reason, and loses nothing`,
    { timeout: 7_200_000, concurrent: true },
    async () => {
      const startedMs = performance.now()
      const random = new Random(SEED)
      const sums: Sums = { outcomes: [], refusals: new Map(), violations: [], verified: 0, refused: 0 }
      const places = await withRun(role, random, (run) => run.profile())
      const all = faultsOf(places, random).filter((one) => new RegExp(CHAOS_FAULT ?? '').test(faultName(one)))
      const faults = all.slice(0, ERRORS)
      console.log(
        `seed ${SEED}; ${all.length} faults at calls of the ${role}, ${all.length - faults.length} are left out`,
      )
      await failInTurn(role, random, faults, sums)
      const missed = CLASSES.filter((kind) => !classesReached(sums.outcomes).includes(kind))
      const others = all.slice(faults.length)
      const more = missed.flatMap((kind) => others.filter((one) => one.class === kind).slice(0, CHANCES))
      await failInTurn(role, random, more, sums)
      const hit = sums.outcomes.filter(({ end }) => end !== 'not reached')
      const seconds = rounded((performance.now() - startedMs) / 1_000)
      console.log(
        `${role}: ${hit.length} of ${sums.outcomes.length} errors in ${seconds} s, seed ${SEED}\n${table(sums.outcomes)}`,
      )
      console.log(`refused because of the disk: ${JSON.stringify(Object.fromEntries(sums.refusals))}`)
      const full = hit.filter(({ fault }) => fault.class === 'full disk').length
      keepEvidence({
        t: 'processes',
        suite: 'whose own disk fails',
        runs: 1,
        wallSeconds: seconds,
        counts: { ...NOTHING_COUNTED, verifications: sums.verified },
        faults: { 'disk error': hit.length - full, 'disk full': full },
        violations: sums.violations.map((text) => text.split('\n')[0] ?? ''),
        worst: 0,
      })
      expect(sums.violations).toEqual([])
      // What was judged must not have been nothing.
      expect(hit.length).toBeGreaterThanOrEqual(sums.outcomes.length * HIT_SHARE_MIN)
      expect(sums.refused).toBeGreaterThan(faults.length)
      if (CHAOS_FAULT === undefined) expect(classesReached(sums.outcomes)).toEqual(CLASSES)
    },
  )
}
