/**
 * A primary with an archive, whose archiver fails at any call with which it changes what is on disk: the archive's disk has an
 * error, once or until it is mended, or it is full. The primary goes on to write, says that the archive stalls, and catches up by
 * itself. Or it is killed as soon as it has said so: what it had said is archived is there.
 *
 * `CHAOS_SEED` repeats a run's choices, `CHAOS_ERRORS` sets how many calls are taken (`all` for every one). `CHAOS_EVIDENCE`
 * names the file that what was seen is added to.
 */
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFailed, test } from 'vitest'
import { keepEvidence } from '../evidence/file.ts'
import { NOTHING_COUNTED, rounded } from '../evidence/record.ts'
import { ArchivedPrimary, type Harm, WINDOW_MS } from './archive/archived-primary.ts'
import { inTurn, type Stage, STAGES, type Target, targetsOf } from './archive/targets.ts'
import { Random } from './random.ts'
import { straceWorks } from './strace.ts'

const { CI, CHAOS_SEED, CHAOS_ERRORS } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const ERRORS = CHAOS_ERRORS === 'all' ? Infinity : Number(CHAOS_ERRORS ?? (CI === undefined ? 40 : STAGES.length))
/** Then another archive begins. */
const ERRORS_AN_ARCHIVE = 8
const ATTEMPTS = 2
const HIT_SHARE_MIN = 0.6
/** Nobody need hear of tidying up, whose rest is swept at the next start, nor of a folder that is there already. */
const SILENT: ReadonlySet<string> = new Set(['unlink', 'mkdir'])
/** What a full disk refuses. */
const GROWING: ReadonlySet<string> = new Set(['write', 'link', 'rename', 'mkdir'])

const strace = straceWorks()

interface Sums {
  readonly hit: Map<Stage, number>
  attempted: number
  reported: number
  killed: number
  full: number
  restored: number
}

function harmAt(target: Target, random: Random): Harm {
  const isFull = GROWING.has(target.syscall) && random.below(2) === 0
  const error = { errno: isFull ? 'ENOSPC' : 'EIO', onwards: isFull || random.below(3) === 0 }
  return { ...target, error, killWhenReported: random.below(3) === 0 }
}

async function failAt(primary: ArchivedPrimary, target: Target, random: Random, sums: Sums): Promise<void> {
  sums.attempted += 1
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // Only what has left the window is deleted.
    if (target.stage === 'retention') await setTimeout(WINDOW_MS)
    if (await failsAt(primary, harmAt(target, random), sums)) return
  }
}

async function failsAt(primary: ArchivedPrimary, harm: Harm, sums: Sums): Promise<boolean> {
  const { stage, syscall, nth, error } = harm
  const where = `${error?.errno} of ${syscall} ${nth}${error?.onwards === true ? ' and all after it' : ''} of ${stage}`
  const life = await primary.live(harm).catch((cause: unknown) => {
    throw new Error(`${where}: ${String(cause)}`, { cause })
  })
  sums.restored += (life.judged?.exact ?? 0) + (life.judged?.merged ?? 0)
  if (!life.trace.some(({ text }) => text.endsWith('(INJECTED)'))) return false
  // What the next attempt mends at once is over before the status is asked.
  const reported = [...life.alerts, ...life.log].filter((line) => line.includes(error?.errno ?? ''))
  if (!SILENT.has(syscall))
    expect(reported.length, `${where} was not reported: ${life.log.join('\n')}`).toBeGreaterThan(0)
  // It has caught up, or it was killed where it stood.
  expect(life.whole || life.killed, where).toBe(true)
  sums.hit.set(stage, (sums.hit.get(stage) ?? 0) + 1)
  sums.reported += reported.length > 0 ? 1 : 0
  sums.killed += life.killed ? 1 : 0
  sums.full += error?.errno === 'ENOSPC' ? 1 : 0
  return true
}

/** A life of an archive that is there, in which nothing fails. */
async function profile(random: Random): Promise<readonly Target[]> {
  return ArchivedPrimary.during(random, async (primary) => {
    await primary.live()
    await setTimeout(WINDOW_MS)
    const { trace, whole } = await primary.live()
    expect(whole).toBe(true)
    return targetsOf(trace)
  })
}

test.skipIf(!strace)(
  'a primary whose archive fails at any call writes on, reports the stall, and catches up',
  { timeout: 7_200_000 },
  async () => {
    const startedMs = performance.now()
    const random = new Random(SEED)
    const all = inTurn(await profile(random), random)
    const targets = all.slice(0, ERRORS)
    console.log(`seed ${SEED}; ${all.length} calls can fail, ${all.length - targets.length} of them are left out`)
    const sums: Sums = { hit: new Map(), attempted: 0, reported: 0, killed: 0, full: 0, restored: 0 }
    onTestFailed(() => console.error(`it was error ${sums.attempted} of seed ${SEED}`))
    for (let first = 0; first < targets.length; first += ERRORS_AN_ARCHIVE)
      await ArchivedPrimary.during(random, async (primary) => {
        await primary.live()
        for (const target of targets.slice(first, first + ERRORS_AN_ARCHIVE))
          await failAt(primary, target, random, sums)
        const { whole } = await primary.live()
        expect(whole).toBe(true)
      })
    const hit = [...sums.hit.values()].reduce((sum, count) => sum + count, 0)
    const seconds = rounded((performance.now() - startedMs) / 1_000)
    const { attempted, reported, killed, full, restored } = sums
    console.log(`${hit} of ${attempted} calls failed in ${seconds} s: ${JSON.stringify(Object.fromEntries(sums.hit))}`)
    console.log(
      `${reported} were reported, ${full} were a full disk, ${killed} ended in a kill; ${restored} restored; seed ${SEED}`,
    )
    keepEvidence({
      t: 'processes',
      suite: 'whose archive’s disk fails',
      runs: 1,
      wallSeconds: seconds,
      counts: NOTHING_COUNTED,
      faults: { 'disk error': hit - full, 'disk full': full },
      violations: [],
      worst: 0,
    })
    // What was judged must not have been nothing.
    expect(hit).toBeGreaterThanOrEqual(attempted * HIT_SHARE_MIN)
    expect(reported).toBeGreaterThan(0)
    expect(restored).toBeGreaterThan(attempted)
    if (CHAOS_ERRORS === undefined) expect(sums.hit.size).toBeGreaterThanOrEqual(STAGES.length - 1)
  },
)
