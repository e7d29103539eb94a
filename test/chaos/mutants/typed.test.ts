/** A planted bug must be one that could have been merged. A bug that does not type-check would fail the build, not a promise. */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { MUTANTS as OF_SIMULATOR } from '../../simulator/mutants/list.ts'
import { MUTANTS as OF_PARTITIONS } from '../partition/mutants.ts'
import { CORE_MUTANTS } from './core-mutants.ts'
import { type Mutant, planted } from './mutant.ts'

const ROOT = join(import.meta.dirname, '../../..')
const ROOMS = ['ops', 'primary', 'replica', 'shared']
const CONFIG = 'tsconfig.json'

/** What the compiler says of the files, one beside each planted source, all at once. */
function complaints(mutants: readonly Mutant[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-typed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of [...ROOMS, 'package.json', CONFIG])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const [index, mutant] of mutants.entries()) {
    const source = readFileSync(join(ROOT, mutant.file), 'utf8')
    writeFileSync(join(folder, mutant.file.replace(/\.ts$/, `.mutant-${index}.ts`)), planted(source, mutant))
  }
  const planting = {
    extends: `./${CONFIG}`,
    include: ROOMS,
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
  }
  writeFileSync(join(folder, 'planted.json'), JSON.stringify(planting))
  const tsc = join(ROOT, 'node_modules/.bin/tsc')
  return new Promise((resolve) =>
    execFile(process.execPath, [tsc, '-p', join(folder, 'planted.json'), '--pretty', 'false'], (_, stdout, stderr) =>
      resolve(stdout + stderr),
    ),
  )
}

function namesIn(text: string, mutants: readonly Mutant[]): readonly string[] {
  return mutants.filter((_, index) => text.includes(`.mutant-${index}.ts(`)).map(({ name }) => name)
}

test('every planted bug type-checks, and one that does not is reported', async () => {
  const untyped: Mutant = {
    name: 'a clock without timers',
    file: 'primary/freshness/granting.ts',
    find: 'this.book = new GrantBook({\n      clock,',
    replace: 'this.book = new GrantBook({\n      clock: { monotonicMs: () => clock.wallMs() },',
  }
  const mutants = [...CORE_MUTANTS, ...OF_PARTITIONS, ...OF_SIMULATOR, untyped]
  const said = await complaints(mutants)
  expect(namesIn(said, mutants), said).toEqual([untyped.name])
})
