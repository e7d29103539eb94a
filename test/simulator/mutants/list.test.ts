import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CORE_MUTANTS } from '../../chaos/mutants/core-mutants.ts'
import { planted } from '../../chaos/mutants/mutant.ts'
import { MUTANTS as OF_PARTITIONS } from '../../chaos/partition/mutants.ts'
import { MUTANTS } from './list.ts'

const ROOT = join(import.meta.dirname, '../../..')

test.each([...MUTANTS, ...OF_PARTITIONS, ...CORE_MUTANTS])(
  'the source still contains the place of "$name"',
  (mutant) => {
    const source = readFileSync(join(ROOT, mutant.file), 'utf8')
    expect(planted(source, mutant)).not.toBe(source)
  },
)
