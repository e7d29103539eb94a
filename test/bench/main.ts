/**
 * `npm run bench -- [--quick] [--json] [--only SECTION]`: what shipping costs, how far replicas are behind, what a
 * verification takes, how the macaroons compare with those of other libraries, and how much memory it all needs. A missed
 * aim is reported and no failure, and so is a library to compare with that is not installed; the exit status is 1 only
 * when something else could not be measured.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureArchiving } from './archiving.ts'
import { measureCached } from './cached.ts'
import { measureDenials } from './denials.ts'
import { Cluster } from './cluster.ts'
import { fleetRows } from './fleet-model.ts'
import { measureLatency } from './latency.ts'
import { measureMacaroons } from './macaroons/measure.ts'
import { describeMachine } from './machine.ts'
import { measureMemory } from './memory.ts'
import { measureNeighbours } from './neighbours.ts'
import { FULL, QUICK, type Plan } from './plan.ts'
import { formatMachine, formatTable, isMet, type Report, type Row } from './report.ts'
import { measurePropagation } from './propagation.ts'
import { measureRestore } from './restore.ts'
import { measureRevocation } from './revocation.ts'
import { measureThroughput } from './throughput.ts'
import { measureChannel, measureVerifier } from './verification.ts'

type Section = (cluster: Cluster, folder: string, plan: Plan) => Promise<Row[]>

const ON_CLUSTER: Readonly<Record<string, Section>> = {
  throughput: measureThroughput,
  latency: (cluster, _, plan) => measureLatency(cluster, plan),
  revocation: (cluster, _, plan) => measureRevocation(cluster, plan),
  channel: (cluster, _, plan) => measureChannel(cluster, plan),
  neighbours: (cluster, _, plan) => measureNeighbours(cluster, plan),
}

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    profile: { type: 'string' },
  },
})
const SECTIONS = [
  ...Object.keys(ON_CLUSTER),
  'propagation',
  'cached',
  'verifier',
  'archiving',
  'restore',
  'denials',
  'macaroons',
  'memory',
  'fleet',
]
for (const section of options.only ?? []) {
  if (!SECTIONS.includes(section)) throw new Error(`there is no section ${section}, only ${SECTIONS.join(', ')}`)
}
const plan = options.quick ? QUICK : FULL
const notes: string[] = []
const folder = mkdtempSync(join(tmpdir(), 'macaroond-bench-'))
try {
  const report = await run()
  print(report)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function run(): Promise<Report> {
  const machine = describeMachine(folder)
  if (!options.json) console.log(`macaroond bench, ${plan.mode}: ${formatMachine(machine)}`)
  const startMs = performance.now()
  const rows = [...(await onCluster()), ...(await alone())]
  return { mode: plan.mode, machine, seconds: Math.round((performance.now() - startMs) / 1000), rows, notes }
}

async function onCluster(): Promise<Row[]> {
  const names = Object.keys(ON_CLUSTER).filter(wanted)
  if (names.length === 0) return []
  const cluster = await Cluster.start(subfolder('cluster'), { profile: profileOptions() })
  const rows: Row[] = []
  for (const name of names) {
    say(name)
    rows.push(...((await ON_CLUSTER[name]?.(cluster, folder, plan)) ?? []))
  }
  await cluster.end()
  return rows
}

async function alone(): Promise<Row[]> {
  const rows: Row[] = []
  if (wanted('propagation')) rows.push(...(say('propagation'), await measurePropagation(subfolder('fleet'), plan)))
  if (wanted('cached')) rows.push(...(say('cached'), await measureCached(plan)))
  if (wanted('verifier')) rows.push(...(say('verifier'), await measureVerifier(plan)))
  if (wanted('archiving')) rows.push(...(say('archiving'), await measureArchiving(subfolder('archiving'), plan)))
  if (wanted('restore')) rows.push(...(say('restore'), await measureRestore(subfolder('restore'), plan)))
  if (wanted('denials')) rows.push(...(say('denials'), await measureDenials(subfolder('denials'), plan)))
  if (wanted('macaroons')) rows.push(...(say('macaroons'), await measureMacaroons(subfolder('macaroons'), plan, note)))
  if (wanted('fleet')) rows.push(...fleetRows())
  if (wanted('memory')) rows.push(...(say('memory'), await measureMemory(subfolder('memory'))))
  return rows
}

function print(report: Report): void {
  if (options.json) return console.log(JSON.stringify(withVerdicts(report), undefined, 2))
  console.log(formatTable(report.rows))
  for (const text of report.notes) console.log(`\n${text}`)
  const missed = report.rows.filter((row) => isMet(row) === false).length
  console.log(`\n${missed === 0 ? 'every aim met' : `aims missed: ${missed}`}; ${report.seconds} s`)
}

function withVerdicts({ rows, ...rest }: Report): object {
  return { ...rest, rows: rows.map((row) => ({ ...row, met: isMet(row) ?? null })) }
}

function wanted(section: string): boolean {
  return options.only === undefined || options.only.includes(section)
}

/** `--profile DIR` writes CPU profiles of primary and replica there. */
function profileOptions(): string[] {
  return options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`]
}

function subfolder(name: string): string {
  const path = join(folder, name)
  mkdirSync(path)
  return path
}

/** What could not be measured here, and how it can. */
function note(text: string): void {
  notes.push(text)
}

/** Progress is for whoever waits, not part of the result. */
function say(section: string): void {
  console.error(`measuring: ${section}`)
}
