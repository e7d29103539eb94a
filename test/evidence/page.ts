/** The page of evidence: what was promised, how each promise is tested, and what the runs so far have shown. */
import type { FaultTest, Row } from '../chaos/facilities/matrix.ts'
import { type Covered, coverageText } from './coverage-text.ts'
import type { Promised, Proof } from './promises.ts'
import type { EvidenceRecord, MutantRecord } from './record.ts'
import { type Causes, processesText, simulatorText } from './shown.ts'
import { table } from './words.ts'

/** A bug as the lists of mutants name it. */
export interface ListedMutant {
  readonly name: string
  /** The promise that it breaks, or the test that finds it. */
  readonly found: string
}

export interface Evidence extends Covered {
  readonly promises: readonly Promised[]
  readonly records: readonly EvidenceRecord[]
  readonly simulated: readonly ListedMutant[]
  readonly ofProcesses: readonly ListedMutant[]
  readonly ofCores: readonly ListedMutant[]
  readonly matrix: readonly Row[]
  /** Names of the schedules that stay. */
  readonly scenarios: readonly string[]
  readonly causes: Causes
}

export function pageOf(evidence: Evidence): string {
  const { promises, records, simulated, ofProcesses, ofCores, scenarios, causes, matrix } = evidence
  const sections = [
    ['# Evidence', INTRODUCTION],
    ['## Promises, and what fails when one is broken', promiseTable(promises)],
    [
      '## The simulator',
      ...simulatorText(
        records.filter((record) => record.t === 'simulated'),
        causes,
      ),
    ],
    ['### Schedules that stay', SCENARIOS, scenarios.map((name) => `- ${name}`).join('\n')],
    [
      '## Real processes',
      ...processesText(
        records.filter((record) => record.t === 'processes'),
        causes,
      ),
    ],
    ['### Faults, and the tests that inject them', MATRIX_TEXT, matrixTable(matrix)],
    ['## Planted bugs', PLANTED],
    ['### Found by the simulator', mutantTable(simulated, measured(records, 'simulator'))],
    ['### Found by real processes', mutantTable(ofProcesses, measured(records, 'processes'))],
    [
      '### Found by the test of a core',
      table(
        ['planted bug', 'test'],
        ofCores.map(({ name, found }) => [name, linkTo(found)]),
      ),
    ],
    ['## Coverage of the cores', ...coverageText(evidence)],
  ]
  return `${sections.flat().join('\n\n')}\n`
}

const INTRODUCTION = `\`npm run evidence\` writes this page from \`test/evidence/runs.ndjson\` (the results of the runs, one a line),
\`test/evidence/coverage.json\` and the lists of promises and planted bugs. \`npm test\` fails if the page differs from them.
Two commands add evidence: \`npm run simulate -- --evidence test/evidence/runs.ndjson --seeds 20000\` runs the seeds that are not
there yet, and \`CHAOS_EVIDENCE=test/evidence/runs.ndjson npm run test:partition\` runs real processes. A commit with a \`+\` was
measured with uncommitted changes.`

const SCENARIOS = `Every CI run repeats these schedules. Some once broke a promise, and are shortened as far as they still did; others are
written by hand for cases that seeds rarely meet (\`test/simulator/scenarios.ts\` names the cause of each).`

const MATRIX_TEXT = `Each run first tries which of these faults the machine can inflict, and prints those that it cannot
(\`test/chaos/matrix.test.ts\`). Schedules of one to three overlapping faults are drawn from seeds, for any length of time:
\`CHAOS_MINUTES=30 CHAOS_EVIDENCE=test/evidence/runs.ndjson npm run test:partition -- schedules\`.`

const PLANTED = `A loader puts each bug into a module's source; the program itself has no switch for it. "Seeds" is the number of seeds
that ran until the bug was caught, including the one that caught it.`

function promiseTable(promises: readonly Promised[]): string {
  const rows = promises.map(({ name, says, rule, proofs, notYet }) => [
    name,
    says,
    rule === undefined ? '' : rule === 'last look' ? 'last look of every seed' : `rule ${rule}`,
    notYet === undefined ? proofList(proofs) : `not promised yet: ${notYet}`,
  ])
  return table(['', 'promise', 'judged in every history', 'tests'], rows)
}

function proofList(proofs: readonly (Proof | FaultTest)[]): string {
  return proofs.map(({ file, test }) => `${linkTo(file)}${test === undefined ? '' : `: ${test}`}`).join('<br>')
}

function matrixTable(matrix: readonly Row[]): string {
  const rows = matrix.map(({ fault, expect, by, without = '' }) => [fault, expect, proofList(by), without])
  return table(['fault', 'what must hold', 'injected by', 'not on real processes'], rows)
}

function linkTo(file: string): string {
  return `[${file.replace(/^test\//, '').replace(/\.test\.ts$/, '')}](${file})`
}

function measured(records: readonly EvidenceRecord[], by: MutantRecord['by']): ReadonlyMap<string, MutantRecord> {
  const mutants = records.filter((record) => record.t === 'mutant').filter((record) => record.by === by)
  return new Map(mutants.map((record) => [record.name, record]))
}

function mutantTable(listed: readonly ListedMutant[], records: ReadonlyMap<string, MutantRecord>): string {
  const rows = listed.map(({ name, found }) => {
    const record = records.get(name)
    const seeds = record === undefined ? 'not measured' : (record.seeds?.toString() ?? 'NOT CAUGHT')
    return [name, found, seeds, record === undefined ? '' : `${record.commit}, ${record.date}`]
  })
  return table(['planted bug', 'breaks', 'seeds', 'measured'], rows)
}
