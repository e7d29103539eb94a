/** The page of evidence: what was promised, how each promise is tested, and what the runs so far have shown. */
import type { CoreCoverage, FileCoverage, Share } from './coverage.ts'
import type { Promised, Proof } from './promises.ts'
import {
  type EvidenceRecord,
  joinedShown,
  joinedStretches,
  type MutantRecord,
  type ProcessesRecord,
  seedsOf,
  type Shown,
  type SimulatedRecord,
} from './record.ts'

/** A bug as the lists of mutants name it. */
export interface ListedMutant {
  readonly name: string
  /** The promise that it breaks, or the test that finds it. */
  readonly found: string
}

export interface Evidence {
  readonly promises: readonly Promised[]
  readonly records: readonly EvidenceRecord[]
  readonly simulated: readonly ListedMutant[]
  readonly ofProcesses: readonly ListedMutant[]
  readonly ofCores: readonly ListedMutant[]
  /** Names of the schedules that stay. */
  readonly scenarios: readonly string[]
  readonly coverage: CoreCoverage
  /** The files of each. */
  readonly rooms: Readonly<Record<string, readonly string[]>>
  /** What was behind a failure on record. */
  readonly causes: Readonly<Record<string, string>>
  /** Why a core, or a part of it, is not reached. */
  readonly reasons: Readonly<Record<string, string>>
}

export function pageOf(evidence: Evidence): string {
  const { promises, records, simulated, ofProcesses, ofCores, scenarios, causes } = evidence
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

const INTRODUCTION = `Written by \`npm run evidence\` from \`test/evidence/runs.ndjson\` (what runs have shown, a line a run),
\`test/evidence/coverage.json\` and the lists of promises and planted bugs; \`npm test\` fails where this page says other than
they do. More evidence is gathered with \`npm run simulate -- --evidence test/evidence/runs.ndjson --seeds 20000\`, which runs
the seeds that are not there yet, and with \`CHAOS_EVIDENCE=test/evidence/runs.ndjson npm run test:partition\`. A commit with a
\`+\` was measured with changes on top of it.`

const SCENARIOS = `Run again in every CI run: those that once broke a promise, cut down to the shortest that still did, and those written
by hand for what a seed seldom meets (\`test/simulator/scenarios.ts\` says which, and what the cause was).`

const PLANTED = `Each is put in while the modules load; the program has no switch for it. "Seeds" is how many were run until it
was caught, the one that caught it among them.`

function promiseTable(promises: readonly Promised[]): string {
  const rows = promises.map(({ name, says, rule, proofs, notYet }) => [
    name,
    says,
    rule === undefined ? '' : rule === 'last look' ? 'last look of every seed' : `rule ${rule}`,
    notYet === undefined ? proofList(proofs) : `not promised yet: ${notYet}`,
  ])
  return table(['', 'promise', 'judged in every history', 'tests'], rows)
}

function proofList(proofs: readonly Proof[]): string {
  return proofs.map(({ file, test }) => `${linkTo(file)}${test === undefined ? '' : `: ${test}`}`).join('<br>')
}

function linkTo(file: string): string {
  return `[${file.replace(/^test\//, '').replace(/\.test\.ts$/, '')}](${file})`
}

function simulatorText(records: readonly SimulatedRecord[], causes: Evidence['causes']): readonly string[] {
  if (records.length === 0) return ['No run is on record.']
  const all = joinedOf(records)
  const seeds = [...Map.groupBy(records, ({ steps }) => steps).values()]
    .map((same) => seedsOf(joinedStretches(same.flatMap(({ stretches }) => stretches))))
    .reduce((sum, some) => sum + some, 0)
  const hours = records.reduce((sum, { virtualSeconds }) => sum + virtualSeconds, 0) / 3_600
  const rows = records.map((record) => [
    record.commit,
    record.date,
    record.stretches.map(([first, many]) => `${first}–${first + many - 1}`).join(', '),
    `${record.steps}${record.twice ? ', twice' : ''}`,
    hoursText(record.virtualSeconds),
    hoursText(record.wallSeconds),
    number(record.counts.verifications),
    `${record.violations.length}`,
  ])
  return [
    `${number(seeds)} different seeds, ${hours.toFixed(1)} hours of the cluster.`,
    shownText(all),
    table(['commit', 'date', 'seeds', 'steps', 'virtual', 'took', 'verifications', 'seeds that failed'], rows),
    ...violationsText(all, causes),
  ]
}

function processesText(records: readonly ProcessesRecord[], causes: Evidence['causes']): readonly string[] {
  if (records.length === 0) return ['No run is on record.']
  const rows = records.map((record) => [
    record.suite,
    record.commit,
    record.date,
    `${record.runs}`,
    hoursText(record.wallSeconds),
    number(record.counts.verifications),
    record.worst === 0 ? '' : percent(record.worst),
    Object.entries(record.faults)
      .map(([kind, times]) => `${kind} ${times}`)
      .join(', '),
    `${record.violations.length}`,
  ])
  const names = [
    'suite',
    'commit',
    'date',
    'runs',
    'took',
    'verifications',
    'worst acceptance, of B',
    'faults that bit',
    'violations',
  ]
  return [table(names, rows), ...violationsText(joinedOf(records), causes)]
}

function joinedOf(records: readonly [Shown, ...Shown[]] | readonly Shown[]): Shown {
  return records.reduce((a, b) => joinedShown(a, b))
}

/** What was counted, and how near to its bound any acceptance came. */
function shownText({ counts, faults, worst }: Shown): string {
  const { verifications, insideBound, afterBound, afterGlobal, leased, leasedAnswered, unleased } = counts
  return [
    `- ${number(verifications)} verifications; after an acknowledged revocation ${number(insideBound)} inside the bound, ${number(afterBound)} after it, ${number(afterGlobal)} after a global wait.`,
    `- In regions cut off ${number(leased)} surely inside a lease, of which ${number(leasedAnswered)} were answered, and ${number(unleased)} past it.`,
    `- Worst acceptance after an acknowledgement: ${percent(worst)} of the bound B.`,
    `- Faults that bit: ${Object.entries(faults)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([kind, times]) => `${kind} ${number(times)}`)
      .join(', ')}.`,
  ].join('\n')
}

function violationsText({ violations }: Shown, causes: Evidence['causes']): readonly string[] {
  if (violations.length === 0) return ['No promise was broken.']
  const told = violations.map((text) => `- ${text}. ${causes[text] ?? 'The cause is not known yet.'}`)
  return ['What was broken when it ran, and why:', told.join('\n')]
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

function coverageText({ coverage, rooms, reasons }: Evidence): readonly string[] {
  const { commit, date, seeds, files } = coverage
  if (files.length === 0) return ['No measurement is on record.']
  const row = (name: string, of: readonly FileCoverage[]): readonly string[] => [
    name,
    shareText(sumOf(of.map(({ lines }) => lines))),
    shareText(sumOf(of.map(({ branches }) => branches))),
  ]
  const rows = Object.entries(rooms).map(([room, names]) =>
    row(
      room,
      files.filter(({ file }) => names.includes(file)),
    ),
  )
  const low = files.filter(({ file }) => reasons[file] !== undefined)
  return [
    `By the unit tests of \`test/{shared,primary,replica}\` that reach them, and ${number(seeds)} seeds of the simulator together (\`npm run coverage\`), on ${commit}, ${date}.`,
    table(['cores', 'lines', 'branches'], [row('all', files), ...rows]),
    'Every core is reached to at least 95 % of its lines and of its branches but these:',
    table(
      ['core', 'lines', 'branches', 'what is not reached, and why'],
      low.map((one) => [...row(one.file, [one]), reasons[one.file] ?? '']),
    ),
  ]
}

function sumOf(shares: readonly Share[]): Share {
  return shares.reduce(([covered, total], share) => [covered + share[0], total + share[1]], [0, 0])
}

function shareText([covered, total]: Share): string {
  return total === 0 ? '' : `${percent(covered / total)} (${number(covered)} of ${number(total)})`
}

function table(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(names), line(names.map(() => '---')), ...rows.map(line)].join('\n')
}

function hoursText(seconds: number): string {
  return seconds < 3_600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3_600).toFixed(1)} h`
}

function percent(share: number): string {
  return `${(Math.floor(share * 1_000) / 10).toFixed(1)} %`
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}
