/**
 * `npm run simulate`: runs whole clusters in a few processes, each from one seed with a plan of faults, and checks the
 * promises.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MacaroondError } from '../../shared/errors.ts'
import { runSeeds } from './children.ts'
import { catchMutants } from './mutants/catch.ts'
import { makeTemplate } from './nodes/template.ts'
import { KINDS } from './plan/plan.ts'
import { addEvidence, commitAndDate, readEvidence, seedsThatRan } from '../evidence/file.ts'
import { missingStretches, seedsOf, type Stretch } from '../evidence/record.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { evidenceOf, failureText, figures, GATES_FROM_SEEDS, missedGates, Report } from './report.ts'
import { SCENARIOS } from './scenarios.ts'
import type { Order, SeedReport } from './seeds-child.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
/** Memory where there is some: what is lost with a disk is simulated. */
const BASE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
/** What a run that gathers evidence loses at most when it is interrupted: some twenty seconds. */
const CHUNK_SEEDS = 200

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options.help) {
    say(`${USAGE}\nfaults: ${KINDS.join(', ')}`)
    return 0
  }
  const folder = mkdtempSync(join(BASE, 'macaroond-simulate-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const images = await makeTemplate(join(folder, 'template'))
  const order: Order = {
    seed: options.seed,
    seeds: options.seeds,
    steps: options.steps,
    twice: options.twice,
    trace: options.trace,
    stride: 1,
    until: undefined,
    filter: options.kinds === undefined ? {} : { kinds: options.kinds },
    scenarios: options.scenarios,
    images,
    folder,
    excerpt: {
      ...(options.only === undefined ? {} : { only: options.only }),
      ...(options.until === undefined ? {} : { until: options.until }),
    },
  }
  return options.mutants ? catchMutants(order, options, say) : simulate(order, options)
}

async function simulate(order: Order, options: Options): Promise<number> {
  const { seed, seeds, steps, twice } = order
  const again = twice ? ', every one twice' : ''
  say(
    order.scenarios
      ? `${SCENARIOS.length} scenarios${again}`
      : `seeds ${seed} to ${seed + seeds - 1}, ${steps} steps each${again}`,
  )
  const report = new Report()
  const startedMs = performance.now()
  await (options.evidence === undefined
    ? runParts(order, options, report)
    : gather(order, options.evidence, options, report))
  if (report.seeds === 0 && options.evidence !== undefined) {
    say(`all of them are in ${options.evidence} already`)
    return 0
  }
  for (const line of figures(report, performance.now() - startedMs)) say(line)
  if (report.seeds < GATES_FROM_SEEDS && seeds > 1)
    say(`too few seeds to ask that every fault takes effect: ${GATES_FROM_SEEDS} are needed`)
  const missed = missedGates(report, options.kinds ?? KINDS)
  for (const line of missed) say(`MISSED ${line}`)
  say(report.failed.length > 0 ? `${report.failed.length} seeds failed` : 'every promise held')
  return report.failed.length > 0 || missed.length > 0 ? 1 : 0
}

/** Of the seeds those that the file does not have yet; each chunk is written down before the next begins. */
async function gather(order: Order, path: string, options: Options, whole: Report): Promise<void> {
  const wanted: Stretch = [order.seed, order.seeds]
  const missing = missingStretches(wanted, seedsThatRan(readEvidence(path), order.steps), CHUNK_SEEDS)
  const ran = order.seeds - seedsOf(missing)
  if (ran > 0) say(`${ran} of them are in ${path} already`)
  const run = commitAndDate()
  for (const [seed, seeds] of missing) {
    const chunk = new Report()
    const startedMs = performance.now()
    await runParts({ ...order, seed, seeds }, options, chunk, whole)
    addEvidence(path, { ...run, ...evidenceOf(chunk, order, [seed, seeds], performance.now() - startedMs) })
  }
}

async function runParts(order: Order, options: Options, ...reports: readonly Report[]): Promise<void> {
  const { seed, seeds } = order
  const processes = order.scenarios ? 1 : Math.min(options.processes, seeds)
  const parts = Array.from({ length: processes }, (_, index) => ({
    ...order,
    seed: seed + index,
    seeds: seeds - index,
    stride: processes,
    folder: join(order.folder, `${seed}-${index}`),
  }))
  await Promise.all(
    parts.map((part) =>
      runSeeds(part, (one) => {
        for (const report of reports) report.take(one)
        show(one, reports.at(-1), order)
      }),
    ),
  )
}

function show(one: SeedReport, report: Report | undefined, { steps, seeds, filter }: Order): void {
  if (one.trace !== undefined) for (const line of one.trace) say(line)
  if (one.failures.length > 0) for (const line of failureText(one, { steps, filter })) say(line)
  else if (seeds === 1) for (const line of one.plan) say(line)
  else if (report !== undefined && report.seeds % 100 === 0) say(`${report.seeds} seeds`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof MacaroondError)) throw error
  process.stderr.write(`${error.message}\n${error.hint ?? ''}\n`)
  process.exitCode = 2
}
