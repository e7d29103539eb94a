/** Gathers the inputs of the page of evidence from the repository. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MATRIX } from '../chaos/facilities/matrix.ts'
import { CORE_MUTANTS } from '../chaos/mutants/core-mutants.ts'
import { MUTANTS as OF_PARTITIONS } from '../chaos/partition/mutants.ts'
import { MUTANTS } from '../simulator/mutants/list.ts'
import { SCENARIOS } from '../simulator/scenarios.ts'
import { CAUSES } from './causes.ts'
import { filesOf, REASONS, ROOMS } from './cores.ts'
import type { CoreCoverage, FileCoverage, Share } from './coverage.ts'
import { readEvidence } from './file.ts'
import type { Evidence } from './page.ts'
import { PROMISES } from './promises.ts'

export const ROOT: string = join(import.meta.dirname, '../..')
export const PAGE: string = join(ROOT, 'EVIDENCE.md')
export const COVERAGE: string = join(import.meta.dirname, 'coverage.json')
const RUNS = join(import.meta.dirname, 'runs.ndjson')

export function gathered(): Evidence {
  return {
    promises: PROMISES,
    records: readEvidence(RUNS),
    simulated: MUTANTS.map(({ name, breaks }) => ({ name, found: breaks })),
    ofProcesses: OF_PARTITIONS.map(({ name, breaks }) => ({ name, found: breaks })),
    ofCores: CORE_MUTANTS.map(({ name, by }) => ({ name, found: by })),
    matrix: MATRIX,
    scenarios: SCENARIOS.map(({ name }) => name),
    coverage: JSON.parse(readFileSync(COVERAGE, 'utf8')) as CoreCoverage,
    rooms: Object.fromEntries(Object.entries(ROOMS).map(([room, patterns]) => [room, filesOf(patterns)])),
    causes: CAUSES,
    reasons: REASONS,
  }
}

const REACHED_AT_LEAST = 0.95

export function isLow({ lines, branches }: FileCoverage): boolean {
  const falls = ([covered, total]: Share): boolean => covered < REACHED_AT_LEAST * total
  return falls(lines) || falls(branches)
}
