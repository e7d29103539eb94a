/** From nanoseconds to rows: ratios only, of two libraries measured one right after the other in the same round. */
import { number, type Row } from '../report.ts'
import { maximum, median, minimum } from '../statistics.ts'
import type { Rival, Task } from './tasks.ts'

/** Nanoseconds an operation takes, a figure for every round. */
export interface Samples {
  readonly ours: readonly number[]
  readonly theirs: ReadonlyMap<Rival, readonly number[]>
}

export interface Measured {
  readonly task: Task
  readonly caveats: number
  readonly samples: Samples
}

/** What disturbs a round disturbs both sides of it, so the ratio of each round comes first and the median after. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): readonly number[] {
  if (ours.length !== theirs.length) throw new Error('a round has one figure of each library')
  return ours.map((ns, round) => ns / (theirs[round] ?? Number.NaN))
}

/** The rows of one rival, in the order of what was measured. */
export function ratioRows(measured: readonly Measured[], rival: Rival, aim: number): Row[] {
  return measured.flatMap(({ task, caveats, samples }) => {
    const theirs = samples.theirs.get(rival)
    return theirs === undefined ? [] : [ratioRow(task, caveats, ratiosOf(samples.ours, theirs), rival, aim)]
  })
}

function ratioRow(task: Task, caveats: number, ratios: readonly number[], rival: Rival, aim: number): Row {
  return {
    section: `Time of ours : time of ${rival} (below 1, ours is the faster one)`,
    name: `${task.name}, ${caveats} caveat${caveats === 1 ? '' : 's'}`,
    unit: '',
    value: median(ratios),
    target: { below: aim },
    detail: `rounds ${number(minimum(ratios))} to ${number(maximum(ratios))}`,
  }
}
