/** Bugs that a careless hand could write, planted while a node's modules load: a run must find each by the promise it breaks. */
import { expect, test } from 'vitest'
import { checkHistory, type Rule } from '../../history/check.ts'
import { planted } from '../mutants/mutant.ts'
import { MUTANTS } from './mutants.ts'
import { boundsFor, runPartitions } from './run.ts'

test('a bug that no longer has its place is told, not passed over', () => {
  const [mutant] = MUTANTS
  if (mutant === undefined) throw new Error('there are mutants')
  expect(() => planted('another text', mutant)).toThrow(/found 0 times/)
  expect(() => planted(mutant.find + mutant.find, mutant)).toThrow(/found 2 times/)
  expect(planted(`a ${mutant.find} b`, mutant)).toBe(`a ${mutant.replace} b`)
})

/** A busy machine may let one run pass by the moment that shows the bug. */
const SEEDS = [1, 2, 3, 4]

test.each(MUTANTS)('it is found that $name', async ({ breaks, faults, leaseMs, at, ...mutant }) => {
  const where = at === undefined ? {} : { mutantAt: at }
  const broken = new Set<Rule>()
  for (const seed of SEEDS) {
    const events = await runPartitions({ seed, leaseMs, faults, mutant, ...where, brief: faults.length > 0 })
    for (const { rule } of checkHistory(events, boundsFor(leaseMs)).violations) broken.add(rule)
    if (broken.has(breaks)) break
  }
  expect([...broken]).toContain(breaks)
})
