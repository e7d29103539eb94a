/** Describes the coverage of the cores in words. */
import type { CoreCoverage, FileCoverage, Share } from './coverage.ts'
import { number, percent, table } from './words.ts'

export interface Covered {
  readonly coverage: CoreCoverage
  /** The files of each. */
  readonly rooms: Readonly<Record<string, readonly string[]>>
  /** Why a core, or a part of it, is not reached. */
  readonly reasons: Readonly<Record<string, string>>
}

export function coverageText({ coverage, rooms, reasons }: Covered): readonly string[] {
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
