/** Plants one bug in the modules of a test run (`MACAROOND_TEST_MUTANT`): some bugs are seen by a core's own tests only. */
import { join } from 'node:path'
import type { Plugin } from 'vitest/config'
import { type Mutant, MUTANT_VARIABLE, planted } from './mutant.ts'

/** None when no bug is asked for. */
export function mutantPlugins(): Plugin[] {
  const text = process.env[MUTANT_VARIABLE]
  if (text === undefined || text === '') return []
  const mutant = JSON.parse(text) as Mutant
  const target = join(import.meta.dirname, '../../..', mutant.file)
  const transform = (source: string, id: string): string | undefined =>
    id === target ? planted(source, mutant) : undefined
  return [{ name: 'planted bug', enforce: 'pre', transform }]
}
