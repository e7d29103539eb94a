/** What one run has shown, small enough to be kept: a line a run, and runs of one day on one commit are one line. */
import type { Counts } from '../history/check.ts'
import type { FaultKind } from '../history/event.ts'
import { joinedTimes, NO_TIMES, type Times } from '../history/times.ts'

/** A stretch of seeds: the first, and how many. */
export type Stretch = readonly [first: number, seeds: number]

export interface Run {
  /** Short hash; with a `+` where the tree was not as committed. */
  readonly commit: string
  /** Day of the machine's wall clock, in UTC: says when, and is compared with nothing. */
  readonly date: string
}

/** What histories were made of and what their verdicts were. */
export interface Shown {
  readonly wallSeconds: number
  readonly counts: Counts
  /** How often each was seen to take effect. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  /** One sentence each. */
  readonly violations: readonly string[]
  /** Worst acceptance after an acknowledgement, as a part of its run's bound B. */
  readonly worst: number
  /** Where the suite measures them. */
  readonly times?: Times
}

/** Where a sum begins; all there is of a suite that judges what is on disk, and not by times. */
export const NOTHING_COUNTED: Counts = {
  verifications: 0,
  insideBound: 0,
  afterBound: 0,
  afterGlobal: 0,
  leased: 0,
  leasedAnswered: 0,
  unleased: 0,
}

/** Where a sum of whole runs begins. */
export const NOTHING_SHOWN: Shown = { wallSeconds: 0, counts: NOTHING_COUNTED, faults: {}, violations: [], worst: 0 }

export interface SimulatedRecord extends Run, Shown {
  readonly t: 'simulated'
  readonly steps: number
  /** Every seed ran two times, and the traces were compared. */
  readonly twice: boolean
  /** Ascending, apart from one another. */
  readonly stretches: readonly Stretch[]
  readonly virtualSeconds: number
}

/** Of a suite of real processes. */
export interface ProcessesRecord extends Run, Shown {
  readonly t: 'processes'
  readonly suite: string
  readonly runs: number
}

export interface MutantRecord extends Run {
  readonly t: 'mutant'
  readonly by: 'simulator' | 'processes'
  readonly name: string
  readonly breaks: string
  /** Until it was caught; null when none of those that were tried has shown it. */
  readonly seeds: number | null
}

export type EvidenceRecord = SimulatedRecord | ProcessesRecord | MutantRecord

/** The records with one more, which joins the line that it belongs to. */
export function withRecord(records: readonly EvidenceRecord[], added: EvidenceRecord): readonly EvidenceRecord[] {
  const index = records.findIndex((record) => keyOf(record) === keyOf(added))
  const before = records[index]
  return before === undefined ? [...records, added] : records.with(index, joined(before, added))
}

/** A mutant has one line: what it took last. */
function keyOf(record: EvidenceRecord): string {
  if (record.t === 'mutant') return `mutant ${record.by} ${record.name}`
  const { t, commit, date } = record
  return [t, commit, date, ...(t === 'simulated' ? [record.steps, record.twice] : [record.suite])].join(' ')
}

function joined(a: EvidenceRecord, b: EvidenceRecord): EvidenceRecord {
  if (a.t === 'simulated' && b.t === 'simulated') {
    const virtualSeconds = rounded(a.virtualSeconds + b.virtualSeconds)
    return { ...b, ...joinedShown(a, b), stretches: joinedStretches([...a.stretches, ...b.stretches]), virtualSeconds }
  }
  return a.t === 'processes' && b.t === 'processes' ? { ...b, ...joinedShown(a, b), runs: a.runs + b.runs } : b
}

/** Of several runs together. */
export function joinedShown(a: Shown, b: Shown): Shown {
  return {
    wallSeconds: rounded(a.wallSeconds + b.wallSeconds),
    counts: sums(a.counts, b.counts),
    faults: sums(a.faults, b.faults),
    violations: [...new Set([...a.violations, ...b.violations])],
    worst: Math.max(a.worst, b.worst),
    ...(a.times === undefined && b.times === undefined
      ? {}
      : { times: joinedTimes(a.times ?? NO_TIMES, b.times ?? NO_TIMES) }),
  }
}

function sums<T extends Counts | Shown['faults']>(a: T, b: T): T {
  const sum = new Map<string, number>(Object.entries(a))
  for (const [name, value] of Object.entries(b)) sum.set(name, (sum.get(name) ?? 0) + value)
  return Object.fromEntries(sum) as T
}

/** Ascending; what touches or overlaps becomes one. */
export function joinedStretches(stretches: readonly Stretch[]): readonly Stretch[] {
  const joint: Stretch[] = []
  for (const [first, seeds] of stretches.toSorted((a, b) => a[0] - b[0])) {
    const last = joint.at(-1)
    if (last !== undefined && first <= last[0] + last[1]) {
      joint[joint.length - 1] = [last[0], Math.max(last[1], first + seeds - last[0])]
    } else joint.push([first, seeds])
  }
  return joint
}

/** What of the wanted is not among those that ran, cut into pieces of at most `most` seeds. */
export function missingStretches([first, seeds]: Stretch, ran: readonly Stretch[], most: number): readonly Stretch[] {
  const end = first + seeds
  const missing: Stretch[] = []
  let next = first
  for (const [from, many] of [...joinedStretches(ran), [end, 0] as const]) {
    const until = Math.min(from, end)
    for (; next < until; next += most) missing.push([next, Math.min(most, until - next)])
    next = Math.max(Math.min(next, until), from + many, first)
  }
  return missing
}

export function seedsOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, [, seeds]) => sum + seeds, 0)
}

export function rounded(value: number): number {
  return Math.round(value * 10) / 10
}
