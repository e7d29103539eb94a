/**
 * `macaroond restore`, ended or failed at every call with which it changes a disk: there is the whole database under the
 * name that was asked for, or nothing; the archive is as it was; and it can be repeated.
 *
 * `CHAOS_SEED` repeats a run's choices, `CHAOS_FAULTS` sets how many of each kind are taken (`all` for every one).
 * `CHAOS_EVIDENCE` names the file that what was seen is added to.
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { keepEvidence } from '../evidence/file.ts'
import { NOTHING_COUNTED, rounded, type Shown } from '../evidence/record.ts'
import { Authority, scratch } from '../recovery/archive/authority.ts'
import {
  contentOf,
  countCalls,
  differingPages,
  fingerprint,
  freshFolder,
  type Injection,
  outputOf,
  type RestoreOptions,
  runRestore,
  type RestoreRun,
} from './archive/restore-process.ts'
import { Random } from './random.ts'
import { straceWorks } from './strace.ts'

const { CI, CHAOS_SEED, CHAOS_FAULTS } = process.env
const SEED = Number(CHAOS_SEED ?? Math.floor(Math.random() * 1e9))
const FAULTS = CHAOS_FAULTS === 'all' ? Infinity : Number(CHAOS_FAULTS ?? (CI === undefined ? Infinity : 7))
const TIMEOUT_MS = 1_800_000
const TARGET = 9

const strace = straceWorks()

test('strace fails a call of our choice', () => {
  if (!strace) console.log('strace does not work here: no restore was harmed')
  expect(strace || CI === undefined, 'CI needs strace').toBe(true)
})

function keep(faults: Shown['faults'], startedMs: number): void {
  keepEvidence({
    t: 'processes',
    suite: 'that restore, killed or with a failing disk',
    runs: 1,
    wallSeconds: rounded((performance.now() - startedMs) / 1_000),
    counts: NOTHING_COUNTED,
    faults,
    violations: [],
    worst: 0,
  })
}

/** A snapshot with transactions before and after it; half of them revoke. */
async function archived(): Promise<Omit<RestoreOptions, 'folder'>> {
  const authority = await Authority.create()
  await authority.claim()
  const twoMore = (number: number): void => {
    authority.grow(30)
    authority.revoke(number.toString(16).padStart(48, '0'))
  }
  for (const number of [1, 2, 3]) twoMore(number)
  await authority.upload()
  await authority.snapshot()
  for (const number of [4, 5, 6]) twoMore(number)
  await authority.upload()
  return { archive: authority.archive, key: Buffer.from(authority.key.publicKey).toString('hex'), txid: TARGET }
}

/** What a restore gives that nobody harms, and every call it makes. */
interface Reference {
  readonly source: Omit<RestoreOptions, 'folder'>
  readonly room: string
  readonly database: string
  readonly content: string
  /** Pages with rows that are drawn anew each time. */
  readonly drawn: ReadonlySet<number>
  readonly archive: string
  readonly calls: readonly { readonly syscall: string; readonly nth: number }[]
}

async function reference(): Promise<Reference> {
  const source = await archived()
  const room = scratch()
  const before = fingerprint(source.archive)
  const [one, other] = [freshFolder(room, 'one'), freshFolder(room, 'other')]
  const plain = await runRestore({ ...source, folder: one })
  const traced = await runRestore({ ...source, folder: other }, null)
  expect([plain.status, traced.status], plain.stdout + traced.stdout).toEqual([0, 0])
  const drawn = new Set(differingPages(outputOf(one), outputOf(other)))
  expect(drawn.size).toBeLessThan(6)
  const content = contentOf(outputOf(one), room)
  const calls = [...countCalls(traced.trace)].flatMap(([syscall, count]) =>
    Array.from({ length: count }, (_, index) => ({ syscall, nth: index + 1 })),
  )
  return { source, room, database: outputOf(one), content, drawn, archive: before, calls }
}

/** The same rows, and the same bytes in every page that has none that is drawn anew. */
function expectWhole({ room, database, content, drawn }: Reference, path: string, where: string): void {
  expect(contentOf(path, room), where).toBe(content)
  const others = differingPages(path, database).filter((page) => !drawn.has(page))
  expect(others, where).toEqual([])
}

/** Some of each kind of call in turn, so that the rare ones are among any number of them. */
function draw(
  calls: Reference['calls'],
  random: Random,
  what: string,
  always: Reference['calls'] = [],
): Reference['calls'] {
  const decks = [...Map.groupBy(random.shuffled(calls), ({ syscall }) => syscall).values()]
  const longest = Math.max(...decks.map((deck) => deck.length))
  const all = Array.from({ length: longest }, (_, index) => random.shuffled(decks).flatMap((deck) => deck[index] ?? []))
  const others = all.flat().filter((call) => !always.includes(call))
  const drawn = [...always, ...others].slice(0, FAULTS)
  console.log(`seed ${SEED}; ${what} at ${drawn.length} of ${calls.length} calls, the others are left out`)
  return drawn
}

/** The call was entered, and did not return. */
function diedAt(run: RestoreRun, { syscall, nth }: Injection): boolean {
  const unreturned = run.trace.filter(
    (call) => call.syscall === syscall && /(= \?|<unfinished \.\.\.>)$/.test(call.text),
  )
  return run.signal === 'SIGKILL' && unreturned.length > 0 && countCalls(run.trace).get(syscall) === nth
}

test.skipIf(!strace)(
  'a restore killed at any call leaves the whole database or none, and the next one tidies up',
  { timeout: TIMEOUT_MS },
  async () => {
    const startedMs = performance.now()
    const before = await reference()
    const { source, room, archive } = before
    const sums = { placed: 0, repeated: 0 }
    for (const call of draw(before.calls, new Random(SEED), 'killed')) {
      const where = `killed at ${call.syscall} ${call.nth}`
      const injection: Injection = { ...call, what: 'signal=SIGKILL', onwards: false }
      const folder = freshFolder(room, 'killed')
      const run = await runRestore({ ...source, folder }, injection)
      expect(diedAt(run, injection), `${where}: ${run.status} ${run.stdout} ${run.stderr}`).toBe(true)
      const output = outputOf(folder)
      const placed = existsSync(output)
      if (placed) expectWhole(before, output, where)
      const again = await runRestore({ ...source, folder })
      if (placed) expect(again.stdout, where).toContain('database_exists')
      else expect(again.status, `${where}: ${again.stdout}`).toBe(0)
      expectWhole(before, output, where)
      expect(readdirSync(folder), `${where}: the next one tidies up`).toEqual([basename(output)])
      expect(fingerprint(source.archive), where).toBe(archive)
      sums[placed ? 'placed' : 'repeated'] += 1
    }
    keep({ killed: sums.repeated + sums.placed }, startedMs)
    console.log(`${sums.repeated} left nothing and were repeated, ${sums.placed} were whole; seed ${SEED}`)
    expect(sums.repeated).toBeGreaterThan(0)
  },
)

/**
 * Where a failure was once reported badly, or left something: the first sync of the new epoch, the sync of the name, the size
 * of the archive's head, the end of the scratch folder.
 */
function once({ calls }: Reference): Reference['calls'] {
  const [first, last] = [
    calls.find(({ syscall }) => syscall === 'fsync'),
    calls.findLast(({ syscall }) => syscall === 'fsync'),
  ]
  const others = ['ftruncate', 'rmdir'].map((name) => calls.find(({ syscall }) => syscall === name))
  return [first, last, ...others].filter((call) => call !== undefined)
}

/** What fails there is tidying up: the result is whole, and what is left is reported. */
const TIDYING: ReadonlySet<string> = new Set(['unlink', 'unlinkat', 'rmdir'])
/** SQLite builds its index in memory anew, and does not ask whether the folder of its log was synced: both go with the scratch folder. */
const PASSING = /-shm>|^\d+ +fsync\(\d+<[^>]*\.restore-\w+>\)/

function expectRefused(run: RestoreRun, folder: string, where: string): void {
  const { error } = JSON.parse(run.stdout) as { error: { code: string; message: string; hint?: string } }
  expect(['disk_full', 'io_failed', 'sync_failed'], `${where}: ${run.stdout}`).toContain(error.code)
  expect(error.message, where).toMatch(/^(ENOSPC|EIO|SQLITE_\w+) while /)
  expect(error.hint, where).toMatch(/\w+/)
  expect(readdirSync(folder), where).toEqual([])
}

/** Something could not be deleted: either SQLite's own, which goes with the folder, or that folder, which is named. */
function expectTold(before: Reference, run: RestoreRun, folder: string, where: string): void {
  const output = outputOf(folder)
  expectWhole(before, output, where)
  const left = readdirSync(folder).filter((name) => name !== basename(output))
  const { remarks } = JSON.parse(run.stdout) as { remarks: readonly string[] }
  const reported = remarks.filter((remark) => left.some((name) => remark.includes(join(folder, name))))
  expect(reported.length, `${where}: ${left.join(' ')}`).toBe(left.length)
}

test.skipIf(!strace)(
  'a restore whose disk fails or is full says so with a code and a hint, and leaves nothing',
  { timeout: TIMEOUT_MS },
  async () => {
    const startedMs = performance.now()
    const before = await reference()
    const { source, room, archive } = before
    const random = new Random(SEED + 1)
    const sums = { refused: 0, whole: 0, full: 0 }
    for (const call of draw(before.calls, random, 'failed', once(before))) {
      const full = !TIDYING.has(call.syscall) && random.below(2) === 0
      const what = full ? 'error=ENOSPC' : 'error=EIO'
      const injection: Injection = { ...call, what, onwards: full }
      const where = `${call.syscall} ${call.nth} with ${what}`
      const folder = freshFolder(room, 'failed')
      const run = await runRestore({ ...source, folder }, injection)
      const injected = run.trace.filter(({ text }) => text.endsWith('(INJECTED)'))
      expect(injected.length, where).toBeGreaterThan(0)
      const mayGoOn = injected.every(({ syscall, text }) => TIDYING.has(syscall) || PASSING.test(text))
      expect(run.status === 0 && !mayGoOn, `${where} went unnoticed: ${injected[0]?.text}`).toBe(false)
      if (run.status === 0) expectTold(before, run, folder, where)
      else expectRefused(run, folder, where)
      sums[run.status === 0 ? 'whole' : 'refused'] += 1
      sums.full += full ? 1 : 0
      expect(fingerprint(source.archive), where).toBe(archive)
    }
    keep({ 'disk error': sums.refused + sums.whole - sums.full, 'disk full': sums.full }, startedMs)
    console.log(`${sums.refused} were refused, ${sums.whole} were whole all the same; seed ${SEED}`)
    expect(sums.refused).toBeGreaterThan(0)
    expect(sums.whole).toBeGreaterThan(0)
  },
)
