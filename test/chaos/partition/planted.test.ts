/** Plausible bugs, planted while a node's modules load. A run must find each by the promise it breaks. */
import { afterAll, expect, test } from 'vitest'
import { keepEvidence } from '../../evidence/file.ts'
import { checkHistory, type Rule } from '../../history/check.ts'
import type { HistoryEvent } from '../../history/event.ts'
import { Random } from '../random.ts'
import { FoundTable } from '../mutants/found-table.ts'
import { planted } from '../mutants/mutant.ts'
import { monotonicMs } from './clock.ts'
import { MUTANTS } from './mutants.ts'
import { boundsFor, runPartitions } from './run.ts'

test('a bug whose source text is gone fails the suite instead of being skipped', () => {
  const [mutant] = MUTANTS
  if (mutant === undefined) throw new Error('there are mutants')
  expect(() => planted('another text', mutant)).toThrow(/found 0 times/)
  expect(() => planted(mutant.find + mutant.find, mutant)).toThrow(/found 2 times/)
  expect(planted(`a ${mutant.find} b`, mutant)).toBe(`a ${mutant.replace} b`)
})

/** A busy machine may let one run pass by the moment that shows the bug. */
const SEEDS = [1, 2, 3, 4]
/** A bug that was not found by then is reported, before it takes the time of the bugs after it. */
const SEEDS_MS_MAX = 45_000
/** A run that finds nothing goes on for so long where no fault ends it, so that a busy machine needs no second one. */
const FAULTLESS_MS = 10_000
/** Only a finished history shows that nobody had asked for what was refused. */
const REFUSING_MS = 2_500

/** Each takes 5 to 20 s, mostly of starting processes: CI draws some anew every time, and names the others. */
const IN_CI = 4
const { CI, CHAOS_SEED } = process.env
const drawn = new Random(Number(CHAOS_SEED ?? Date.now() % 1e9)).shuffled(MUTANTS)
const mutants = CI === undefined ? MUTANTS : drawn.slice(0, IN_CI)
const left = MUTANTS.filter((mutant) => !mutants.includes(mutant)).map(({ name }) => name)

const table = new FoundTable()
afterAll(() => console.log(table.text))
if (left.length > 0) console.log(`not planted this time, to end in time: ${left.join('; ')}`)

test.each(mutants)('it is found that $name', async ({ breaks, faults, leaseMs, at, slowLinks, shows, ...mutant }) => {
  const where = { ...(at === undefined ? {} : { mutantAt: at }), ...(slowLinks === undefined ? {} : { slowLinks }) }
  const broken = new Map<Rule, number>()
  const note = (events: readonly HistoryEvent[], seed: number): void => {
    for (const { rule } of checkHistory(events, boundsFor(leaseMs)).violations) broken.set(rule, seed)
  }
  const until = (events: readonly HistoryEvent[]): boolean =>
    breaks !== 'S12' && checkHistory(events, boundsFor(leaseMs)).violations.some(({ rule }) => rule === breaks)
  const settleMs = faults.length > 0 ? 1_000 : breaks === 'S12' ? REFUSING_MS : FAULTLESS_MS
  const startedMs = monotonicMs()
  for (const seed of SEEDS) {
    if (monotonicMs() - startedMs > SEEDS_MS_MAX) break
    const brief = { settleMs, until }
    note(await runPartitions({ seed, leaseMs, faults, mutant, ...where, probes: false, brief }), seed)
    if (broken.has(breaks)) break
  }
  const met = faults.map(({ kind, target }) => `, ${kind}: ${target}`).join('')
  table.add({ bug: mutant.name, shows, by: `${breaks}${met}`, seeds: `${broken.get(breaks) ?? 'none'}` })
  keepEvidence({ t: 'mutant', by: 'processes', name: mutant.name, breaks, seeds: broken.get(breaks) ?? null })
  expect([...broken.keys()]).toContain(breaks)
})
