/** Planted bugs that the tests of the cores find, and whether every bug that must be found is planted anywhere. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { MUTANTS } from '../partition/mutants.ts'
import type { CoreMutant } from './core-mutant.ts'
import { CORE_MUTANTS } from './core-mutants.ts'
import { MUTANT_VARIABLE, MUST_BE_FOUND, planted } from './mutant.ts'
import { FoundTable } from './found-table.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** Exit status, and how many tests failed on an assertion. */
async function run({ by, ...mutant }: CoreMutant, env: Readonly<Record<string, string>>): Promise<string> {
  // A module in the cache of vitest is not planted, and a planted one must not get into it.
  const options = ['run', '--project', 'unit', '--fsModuleCache=false']
  const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), ...options, by]
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, NO_COLOR: '1', ...env } })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  expect(text, mutant.name).not.toContain('found 0 times')
  return text
}

const table = new FoundTable()
afterAll(() => console.log(table.text))

test('every bug that must be found is planted', () => {
  const shown = [...CORE_MUTANTS, ...MUTANTS].map(({ shows }) => shows)
  expect(MUST_BE_FOUND.filter((bug) => !shown.includes(bug))).toEqual([])
})

test('every planted bug has its place in the source of today', () => {
  for (const mutant of [...CORE_MUTANTS, ...MUTANTS]) {
    const source = readFileSync(join(ROOT, mutant.file), 'utf8')
    expect(planted(source, mutant), mutant.name).not.toBe(source)
  }
})

test.each(CORE_MUTANTS)('it is found that $name', async (mutant) => {
  const { name, by, shows, ...place } = mutant
  const text = await run(mutant, { [MUTANT_VARIABLE]: JSON.stringify({ name, ...place }) })
  const failed = /Tests +(\d+) failed/.exec(text)
  table.add({ bug: name, shows, by: `${by} (${failed?.[1] ?? 0} tests)` })
  expect(failed).not.toBeNull()
})
