import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { planted } from '../../chaos/mutants/mutant.ts'
import { MUTANTS as OF_PARTITIONS } from '../../chaos/partition/mutants.ts'
import { MUTANTS } from './list.ts'

const ROOT = join(import.meta.dirname, '../../..')

test.each([...MUTANTS, ...OF_PARTITIONS])('the place of a bug is where it says: $name', (mutant) => {
  const source = readFileSync(join(ROOT, mutant.file), 'utf8')
  expect(planted(source, mutant)).not.toBe(source)
})
