/**
 * Runs the steps of a tour or a rehearsal on a cluster in a temporary folder. Afterwards it stops the cluster and deletes the
 * folder, unless `--keep` was given or a step failed, because then the logs are needed.
 */
import { rmSync } from 'node:fs'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { Cluster } from '../cluster/cluster.ts'
import { createCluster } from '../cluster/create.ts'
import { openClusterFolder } from '../cluster/folder.ts'
import { keepRunning, type Interruption, onInterruption } from '../cluster/keep-running.ts'
import { EXIT_FAILED } from '../exit-status.ts'
import { printable, type Terminal } from '../terminal.ts'
import { TourCluster } from './stage.ts'
import { useLenientChecks } from '../cluster/lenient.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import type { StepResult, TourStep } from './step.ts'

export interface RunOptions {
  /** The cluster's name, and part of its folder's name. */
  readonly name: string
  readonly regions: readonly string[]
  readonly steps: readonly TourStep[]
  readonly keep: boolean
  /** Lines for a person, printed at the end if every step passed and the cluster is not kept. */
  readonly next?: readonly string[]
}

/** Runs all steps, prints them, and sets the exit status. */
export async function runSteps(
  { name: story, regions, steps, keep, next = [] }: RunOptions,
  terminal: Terminal,
): Promise<void> {
  const path = temporaryFolder(story)
  useLenientChecks(path, terminal)
  const interruption = onInterruption()
  await createCluster({ path, cluster: story, regions, entropy: systemEntropy })
  const cluster = new Cluster(await openClusterFolder(path), ({ name, log }, how) => {
    terminal.say(`${name} ended (${how}); its log is ${log}`)
  })
  try {
    terminal.say(`a primary and replicas in ${regions.join(' and ')}, each a process on this machine, in ${path}`)
    const passed = await runInOrder(steps, { stage: new TourCluster(cluster), terminal, interruption })
    if (!passed) terminal.status = EXIT_FAILED
    if (passed && keep) await restartAndKeepRunning(cluster, terminal, interruption)
    else if (passed) for (const line of next) terminal.say(line)
  } finally {
    await cluster.stop()
    interruption.release()
    // After a failure the user needs the logs.
    if (terminal.status === 0) rmSync(path, { recursive: true, force: true })
    else terminal.say(`the logs are in ${path}`)
  }
}

/** The last step of the tour has stopped the nodes, so they are started again. */
async function restartAndKeepRunning(cluster: Cluster, terminal: Terminal, interruption: Interruption): Promise<void> {
  const started = cluster.start().then(() => 'up' as const)
  if ((await Promise.race([started, interruption.happened])) === 'up')
    await keepRunning(cluster, terminal, interruption)
  else started.catch(() => undefined)
}

/** True if every step passed. A failed step ends the run, because later steps use its results. */
async function runInOrder(
  steps: readonly TourStep[],
  {
    stage,
    terminal,
    interruption,
  }: { readonly stage: TourCluster; readonly terminal: Terminal; readonly interruption: Interruption },
): Promise<boolean> {
  const results: StepResult[] = []
  const startMs = systemClock.monotonicMs()
  for (const step of steps) {
    const result = await terminal.during(step.title, () => runStep(step, stage, interruption))
    printStep(terminal, result)
    results.push(result)
    if (!result.ok) break
  }
  await stage.close()
  printSummary(terminal, results, steps.length, systemClock.monotonicMs() - startMs)
  return results.length === steps.length && results.every(({ ok }) => ok)
}

/** Runs one step. A failure is a result and not an exception, so that it is printed like the other steps. */
async function runStep({ title, run }: TourStep, stage: TourCluster, { happened }: Interruption): Promise<StepResult> {
  const startMs = systemClock.monotonicMs()
  const tookMs = (): number => Math.round((systemClock.monotonicMs() - startMs) * 100) / 100
  const outcome = run(stage)
  // Nobody awaits an interrupted step, so its error is dropped.
  outcome.catch(() => undefined)
  try {
    const first = await Promise.race([outcome, happened])
    if (first === 'interrupted') throw new MacaroondError('closed', 'interrupted')
    const { detail, ms = tookMs() } = first
    return { step: title, ok: true, ms: Math.round(ms * 100) / 100, detail }
  } catch (error) {
    const { code, message } = reportOf(error)
    return { step: title, ok: false, ms: tookMs(), detail: `${message} (${code})` }
  }
}

/** The widest title of a step, so that times stand in a column. */
const TITLE_WIDTH = 31
const MS_WIDTH = 9

/** Prints one step. Under `--json` nothing: `printSummary` prints one document with all steps. */
function printStep(terminal: Terminal, { step, ok, ms, detail }: StepResult): void {
  if (terminal.json) return
  const mark = ok ? terminal.paint('green', '✓') : terminal.paint('red', '✗')
  const time = msText(ms).padStart(MS_WIDTH)
  terminal.print(`  ${mark} ${step.padEnd(TITLE_WIDTH)} ${time}  ${terminal.paint('dim', printable(detail))}`)
}

/** `planned` is the number of steps; fewer results mean that a step failed. */
function printSummary(terminal: Terminal, results: readonly StepResult[], planned: number, totalMs: number): void {
  const passed = results.filter(({ ok }) => ok).length
  const ok = passed === planned
  const text = `${passed} of ${planned} steps passed, in ${(totalMs / 1000).toFixed(1)} s`
  terminal.answer({ ok, steps: results }, [])
  if (!terminal.json) terminal.print(`\n${terminal.paint(ok ? 'green' : 'red', text)}`)
}

function msText(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`
}
