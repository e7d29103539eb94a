/** Describes the results of runs in words: those of the simulator, and those of real processes. */
import { CLASSES_MS, type Histogram, totalOf } from '../history/histogram.ts'
import type { Times } from '../history/times.ts'
import {
  joinedShown,
  joinedStretches,
  type ProcessesRecord,
  seedsOf,
  type Shown,
  type SimulatedRecord,
} from './record.ts'
import { hoursText, number, percent, table } from './words.ts'

/** What was behind a failure, by the sentence that the run said. */
export type Causes = Readonly<Record<string, string>>

export function simulatorText(records: readonly SimulatedRecord[], causes: Causes): readonly string[] {
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

export function processesText(records: readonly ProcessesRecord[], causes: Causes): readonly string[] {
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
    'faults that took effect',
    'violations',
  ]
  const minutes = records.reduce((sum, { wallSeconds }) => sum + wallSeconds, 0) / 60
  const all = joinedOf(records)
  return [
    `${number(Math.round(minutes))} minutes of real processes.`,
    table(names, rows),
    ...(all.times === undefined ? [] : [timesText(all.times)]),
    ...violationsText(all, causes),
  ]
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
    `- Faults that took effect: ${Object.entries(faults)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([kind, times]) => `${kind} ${number(times)}`)
      .join(', ')}.`,
  ].join('\n')
}

function timesText({ catchUp, writesBack, elsewhere }: Times): string {
  const share = percent(elsewhere.answered / Math.max(1, elsewhere.asked))
  return [
    `- In regions and services that no fault was near, while it lasted elsewhere, ${share} of ${number(elsewhere.asked)} verifications got a verdict in the 300 ms that a caller waits.`,
    `- A service was fresh again after a fault of its own (times, of ${number(totalOf(catchUp))}): ${histogramText(catchUp)}.`,
    `- Writes were acknowledged again, from the beginning of a fault of the primary, its length included (of ${number(totalOf(writesBack))}): ${histogramText(writesBack)}.`,
  ].join('\n')
}

function histogramText(histogram: Histogram): string {
  const total = totalOf(histogram)
  let sum = 0
  const told = histogram.flatMap((count, index) => {
    sum += count
    const end = CLASSES_MS[index] ?? Infinity
    return count === 0 ? [] : [end === Infinity ? `all ${percent(1)}` : `${percent(sum / total)} within ${end} ms`]
  })
  return told.join(', ') || 'never'
}

function violationsText({ violations }: Shown, causes: Causes): readonly string[] {
  if (violations.length === 0) return ['No promise was broken.']
  const told = violations.map((text) => `- ${text}. ${causes[text] ?? 'The cause is not known yet.'}`)
  return ['What was broken when it ran, and why:', told.join('\n')]
}
