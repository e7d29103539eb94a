/** The report over many seeds: figures, gates against runs that prove nothing, and the command that repeats a failure. */
import { NOTHING_COUNTED, rounded, type SimulatedRecord, type Stretch } from '../evidence/record.ts'
import type { Counts } from '../history/check.ts'
import type { FaultKind } from '../history/event.ts'
import { KINDS, RARE_KINDS } from './plan/plan.ts'
import type { Order, SeedReport } from './seeds-child.ts'

export class Report {
  readonly failed: SeedReport[] = []
  seeds = 0
  virtualMs = 0
  cpuMs = 0
  /** Each seed's, in any order. */
  readonly freshAgainMs: number[] = []
  /** Worst acceptance after an acknowledgement, as a part of its run's bound. */
  worst = 0
  readonly counts: Record<keyof Counts, number> = { ...NOTHING_COUNTED }
  readonly effects: Map<FaultKind, number> = new Map()

  take(report: SeedReport): void {
    this.seeds += 1
    this.virtualMs += report.virtualMs
    this.cpuMs += report.cpuMs
    this.freshAgainMs.push(report.freshAgainMs)
    this.worst = Math.max(this.worst, report.worstAcceptanceMs / report.boundMs)
    for (const name of Object.keys(this.counts) as (keyof Counts)[]) this.counts[name] += report.counts[name]
    for (const [kind, times] of Object.entries(report.effects)) {
      this.effects.set(kind as FaultKind, (this.effects.get(kind as FaultKind) ?? 0) + times)
    }
    if (report.failures.length > 0) this.failed.push(report)
  }
}

/** With fewer seeds chance alone may leave something out. */
export const GATES_FROM_SEEDS = 60
/** What a seed must have seen at least, on average. */
const A_SEED = { insideBound: 10, afterBound: 10, afterGlobal: 2, leased: 0.04, unleased: 0.04 } as const
const FAULT_A_SEED = 0.05
/** Few seeds have these: it takes many before chance leaves none of them out. */
const RARE_FAULT_A_SEED = 0.004
const RARE_GATES_FROM_SEEDS = 500

/** One sentence for each thing that these seeds came too rarely near to. */
export function missedGates({ seeds, counts, effects }: Report, kinds: readonly FaultKind[]): readonly string[] {
  if (seeds < GATES_FROM_SEEDS) return []
  const short = (what: string, seen: number, aSeed: number): readonly string[] =>
    seen >= aSeed * seeds ? [] : [`${what}: seen ${seen} times, ${Math.ceil(aSeed * seeds)} are needed`]
  return [
    ...Object.entries(A_SEED).flatMap(([name, aSeed]) => short(name, counts[name as keyof typeof A_SEED], aSeed)),
    ...kinds.flatMap((kind) => short(kind, effects.get(kind) ?? 0, aSeed(kind, seeds))),
  ]
}

function aSeed(kind: FaultKind, seeds: number): number {
  if (!RARE_KINDS.some((own) => own === kind)) return FAULT_A_SEED
  return seeds < RARE_GATES_FROM_SEEDS ? 0 : RARE_FAULT_A_SEED
}

export function figures(report: Report, tookMs: number): readonly string[] {
  const { seeds, virtualMs, counts, effects, worst } = report
  const sorted = report.freshAgainMs.toSorted((a, b) => a - b)
  const part = (share: number): number => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0)
  const aMinute = Math.round((seeds * 60_000) / tookMs)
  return [
    `${seeds} seeds, ${(virtualMs / 3_600_000).toFixed(2)} hours of the cluster in ${(tookMs / 1000).toFixed(1)} s: ${aMinute} seeds a minute, ${Math.round(report.cpuMs / seeds)} ms of a processor each`,
    `verifications: ${counts.verifications}; after an acknowledged revocation ${counts.insideBound} inside the bound, ${counts.afterBound} after it, ${counts.afterGlobal} after a global wait`,
    `in regions cut off: ${counts.leased} surely inside a lease, of which ${counts.leasedAnswered} answered; ${counts.unleased} past it`,
    `worst acceptance after an acknowledgement: ${(worst * 100).toFixed(0)} % of the bound`,
    `without a lease after the last fault and its bound: ${part(0.5)} ms in the middle, ${part(0.99)} ms for 99 of 100, ${part(1)} ms at worst`,
    `faults that took effect: ${KINDS.map((kind) => `${kind} ${effects.get(kind) ?? 0}`).join(', ')}`,
  ]
}

/** What of these seeds is kept. */
export function evidenceOf(
  report: Report,
  { steps, twice }: Pick<Order, 'steps' | 'twice'>,
  stretch: Stretch,
  tookMs: number,
): Omit<SimulatedRecord, 'commit' | 'date'> {
  return {
    t: 'simulated',
    steps,
    twice,
    stretches: [stretch],
    wallSeconds: rounded(tookMs / 1000),
    virtualSeconds: rounded(report.virtualMs / 1000),
    counts: report.counts,
    faults: Object.fromEntries(report.effects),
    violations: report.failed.map(({ seed, failures }) => `seed ${seed}: ${failures[0] ?? ''}`),
    worst: Math.round(report.worst * 1_000) / 1_000,
  }
}

export function failureText(report: SeedReport, { steps, filter }: Pick<Order, 'steps' | 'filter'>): readonly string[] {
  const { seed, failures, plan, shortest } = report
  const kinds = filter.kinds === undefined ? '' : ` --kinds '${filter.kinds.join(',')}'`
  const repeat = `npm run simulate -- --seed ${seed} --steps ${steps}${kinds}`
  const shorter =
    shortest === undefined
      ? []
      : [
          'the shortest schedule that still fails:',
          ...shortest.plan,
          `  ${repeat} --only ${shortest.excerpt.only.join(',') || 'none'} --until ${shortest.excerpt.until} --trace`,
        ]
  return [
    ...plan,
    ...[...new Set(failures)].slice(0, 10).map((failure) => `  FAILED ${failure}`),
    `  ${repeat}`,
    ...shorter,
  ]
}
