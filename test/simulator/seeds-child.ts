/** Runs the ordered seeds one after the other, and writes the result of each as a line to standard output. */
import { join } from 'node:path'
import type { Counts } from '../history/check.ts'
import type { FaultKind } from '../history/event.ts'
import { effectsOf } from '../history/gates.ts'
import { drawPlan, planText, type PlanFilter, type Plan } from './plan/plan.ts'
import { SCENARIOS } from './scenarios.ts'
import { boundsOf, runPlan, type RunResult } from './run.ts'
import { excerptOf, shrink, whole, type Excerpt } from './shrink.ts'
import { difference } from './trace.ts'

export interface Order {
  readonly seed: number
  readonly seeds: number
  /** This process takes every so-manieth. */
  readonly stride: number
  readonly steps: number
  readonly twice: boolean
  readonly trace: boolean
  readonly excerpt: Partial<Excerpt>
  readonly filter: PlanFilter
  /** The scenarios that stay, instead of seeds. */
  readonly scenarios: boolean
  /** Ends with the first seed that fails in this way. */
  readonly until: string | undefined
  readonly images: string
  readonly folder: string
}

export interface SeedReport {
  readonly seed: number
  readonly failures: readonly string[]
  readonly counts: Counts
  readonly effects: Readonly<Partial<Record<FaultKind, number>>>
  readonly worstAcceptanceMs: number
  readonly boundMs: number
  readonly virtualMs: number
  /** Of a processor, for this seed. */
  readonly cpuMs: number
  readonly freshAgainMs: number
  readonly plan: readonly string[]
  readonly trace?: readonly string[]
  readonly shortest?: { readonly excerpt: Excerpt; readonly plan: readonly string[] }
}

/** What waits in a simulation waits by its node's clock: whoever asks the system would be the first thing that differs. */
for (const name of ['setTimeout', 'setInterval'] as const) {
  const refuse = (): never => {
    throw new Error(`${name} of the system was asked for`)
  }
  Object.defineProperty(globalThis, name, { value: refuse })
}

const order = JSON.parse(process.argv[2] ?? '{}') as Order
let runs = 0

for (const drawn of order.scenarios ? SCENARIOS.map(({ plan }) => plan) : plans()) {
  const report = await runDrawn(drawn)
  process.stdout.write(`${JSON.stringify(report)}\n`)
  if (order.until !== undefined && report.failures.some((failure) => isOf(failure, order.until))) break
}

function* plans(): Generator<Plan> {
  for (let seed = order.seed; seed < order.seed + order.seeds; seed += order.stride)
    yield drawPlan(seed, order.steps, order.filter)
}

async function runDrawn(drawn: Plan): Promise<SeedReport> {
  const excerpt = { ...whole(drawn), ...order.excerpt }
  const run = (part: Excerpt): Promise<RunResult> => {
    runs += 1
    return runPlan(excerptOf(drawn, part), { images: order.images, folder: join(order.folder, `${runs}`) })
  }
  const before = process.cpuUsage()
  const result = await run(excerpt)
  const again = order.twice ? difference(result.trace, (await run(excerpt)).trace) : undefined
  const { user, system } = process.cpuUsage(before)
  const failures = again === undefined ? result.failures : [...result.failures, `two runs differ: ${again}`]
  return {
    seed: drawn.seed,
    failures,
    counts: result.verdict.counts,
    effects: effectsOf(result.events),
    worstAcceptanceMs: result.verdict.worstAcceptanceMs,
    boundMs: boundsOf(drawn).revocationMs,
    virtualMs: result.virtualMs,
    cpuMs: (user + system) / 1000,
    freshAgainMs: result.freshAgainMs,
    plan: planText(result.plan),
    ...(order.trace ? { trace: result.trace } : {}),
    ...(await shortestOf(result.failures[0])),
  }

  /** Once a process, and not for planted bugs: dozens of runs. */
  async function shortestOf(failure: string | undefined): Promise<Pick<SeedReport, 'shortest'>> {
    if (failure === undefined || order.until !== undefined || order.excerpt.only !== undefined || order.scenarios)
      return {}
    const rule = ruleOf(failure)
    const shortest = await shrink(drawn, async (part) => (await run(part)).failures.some((other) => isOf(other, rule)))
    return { shortest: { excerpt: shortest, plan: planText(excerptOf(drawn, shortest)) } }
  }
}

function ruleOf(failure: string): string {
  return failure.split(':', 1)[0] ?? failure
}

function isOf(failure: string, rule: string | undefined): boolean {
  return ruleOf(failure) === rule
}
