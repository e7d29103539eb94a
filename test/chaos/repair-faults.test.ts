/**
 * `macaroond repair`, ended or failed at the calls with which it changes a disk: whatever was there still is, byte by byte, and
 * the next repair leads to a database with every revocation.
 *
 * `CHAOS_SEED` repeats a run's choices, `CHAOS_FAULTS` sets how many calls in the scratch folder are taken (`all` for every
 * one); the calls outside it, which move files of the primary, are always taken. `CHAOS_EVIDENCE` names the file that what was
 * seen is added to.
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sha256 } from '../../shared/crypto.ts'
import { refuseUnknownRequired } from '../../shared/files/required-files.ts'
import { openReader } from '../../shared/sqlite/open-database.ts'
import { keepEvidence } from '../evidence/file.ts'
import { NOTHING_COUNTED, rounded } from '../evidence/record.ts'
import { buildFixture, copyOf, type Fixture, type Left, repairArgs, zeroPageOf } from '../recovery/archive/damage.ts'
import { type Injection, type RestoreRun, runTraced } from './archive/restore-process.ts'
import { Random } from './random.ts'
import { straceWorks } from './strace.ts'

const { CI, CHAOS_SEED, CHAOS_FAULTS } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const FAULTS = CHAOS_FAULTS === 'all' ? Infinity : Number(CHAOS_FAULTS ?? (CI === undefined ? 40 : 5))
const TIMEOUT_MS = 1_800_000
const HARMS = ['signal=SIGKILL', 'error=EIO'] as const
const SCRATCH = /\.restore-/

const strace = straceWorks()

/** A primary whose page is zeroed, with its archive; `args` repair it. */
async function damaged({ now, key }: Fixture): Promise<{ readonly left: Left; readonly args: readonly string[] }> {
  const left = copyOf(now)
  zeroPageOf(left.primary, 'issued')
  return { left, args: await repairArgs(left, key) }
}

/** What files outside the scratch folder hold. */
function contents(folder: string): ReadonlySet<string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => !SCRATCH.test(name))
  const files = names.map((name) => join(folder, name)).filter((path) => lstatSync(path).isFile())
  return new Set(files.map((path) => sha256(readFileSync(path)).toString('hex')))
}

interface Call {
  readonly syscall: string
  readonly nth: number
}

/** Of an unharmed repair: those outside its scratch folder, and the others. Counted in each thread by itself. */
function callsOf({ trace }: RestoreRun): { readonly outside: readonly Call[]; readonly inside: readonly Call[] } {
  const counts = new Map<string, number>()
  const calls = trace.map(({ syscall, text }) => {
    const key = `${/^\d+/.exec(text)?.[0]} ${syscall}`
    const nth = (counts.get(key) ?? 0) + 1
    counts.set(key, nth)
    return { syscall, nth, isInside: SCRATCH.test(text) && !/^\d+ +link\(/.test(text) }
  })
  return { outside: calls.filter(({ isInside }) => !isInside), inside: calls.filter(({ isInside }) => isInside) }
}

function isLocked(folder: string): boolean {
  try {
    refuseUnknownRequired(folder)
    return false
  } catch {
    return true
  }
}

test.skipIf(!strace)(
  'a repair that is killed or fails at any call destroys nothing, and the next one completes',
  { timeout: TIMEOUT_MS },
  async () => {
    const startedMs = performance.now()
    const fixture = await buildFixture()
    const plain = await damaged(fixture)
    const reference = await runTraced(plain.args, `${plain.left.primary}.trace`, null)
    expect(reference.status, reference.stdout).toBe(0)
    const { outside, inside } = callsOf(reference)
    const random = new Random(SEED)
    const drawn = [...outside, ...random.shuffled([...inside]).slice(0, FAULTS)]
    console.log(
      `seed ${SEED}; ${outside.length} calls outside the scratch folder, ${drawn.length - outside.length} of ${inside.length} inside`,
    )
    const sums = { killed: 0, failed: 0, locked: 0, unharmed: 0 }
    for (const call of drawn) {
      for (const what of outside.includes(call) ? HARMS : HARMS.slice(0, 1)) {
        const injection: Injection = { ...call, what, onwards: false }
        const where = `${call.syscall} ${call.nth} with ${what}`
        const { left, args } = await damaged(fixture)
        const before = contents(left.primary)
        const run = await runTraced(args, `${left.primary}.trace`, injection)
        const missing = (): readonly string[] => [...before].filter((one) => !contents(left.primary).has(one))
        expect(missing(), where).toEqual([])
        const locked = isLocked(left.primary)
        const again = await runTraced(args, `${left.primary}.trace`)
        expect(again.status, `${where}: ${again.stdout}`).toBe(0)
        expect(missing(), `${where}, and again`).toEqual([])
        expect(
          readdirSync(left.primary).filter((name) => SCRATCH.test(name) || name.startsWith('required-')),
          where,
        ).toEqual([])
        const db = openReader(join(left.primary, 'macaroond.db'))
        expect(db.prepare('SELECT count(*) FROM revocations').pluck().get(), where).toBe(fixture.revoked)
        db.close()
        sums.killed += run.signal === 'SIGKILL' ? 1 : 0
        sums.failed += run.signal === null && run.status !== 0 ? 1 : 0
        sums.unharmed += run.status === 0 ? 1 : 0
        sums.locked += locked ? 1 : 0
      }
    }
    console.log(JSON.stringify(sums))
    keepEvidence({
      t: 'processes',
      suite: 'that repair, killed or with a failing disk',
      runs: 1,
      wallSeconds: rounded((performance.now() - startedMs) / 1_000),
      counts: NOTHING_COUNTED,
      faults: { killed: sums.killed, 'disk error': sums.failed },
      violations: [],
      worst: 0,
    })
    expect(sums.locked, 'some were killed while files were moved').toBeGreaterThan(0)
    expect(Math.min(sums.killed, sums.failed)).toBeGreaterThan(0)
  },
)
