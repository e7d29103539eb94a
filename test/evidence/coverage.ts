/**
 * What of a core the unit tests reached, by istanbul's map of its lines and branches, joined with what V8 saw while seeds
 * of the simulator ran. Node takes types away without moving anything, so its offsets are those of the source.
 */

/** How many were reached, of how many. */
export type Share = readonly [covered: number, total: number]

export interface FileCoverage {
  /** From the root of the repository. */
  readonly file: string
  readonly lines: Share
  readonly branches: Share
}

export interface CoreCoverage {
  readonly commit: string
  readonly date: string
  /** Of the simulator. */
  readonly seeds: number
  readonly files: readonly FileCoverage[]
}

interface Place {
  readonly line?: number
  readonly column?: number
}

interface Region {
  readonly start: Place
  readonly end: Place
}

/** As `coverage-final.json` has it, a file. */
export interface IstanbulFile {
  readonly statementMap: Readonly<Record<string, Region>>
  readonly s: Readonly<Record<string, number>>
  readonly branchMap: Readonly<Record<string, { readonly locations: readonly Region[] }>>
  readonly b: Readonly<Record<string, readonly number[]>>
}

/** As `NODE_V8_COVERAGE` writes it, a script: offsets are in UTF-16 units, and inner ranges outdo outer ones. */
export interface V8Script {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly V8Range[] }[]
}

interface V8Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

export interface Joint {
  readonly coverage: FileCoverage
  /** Lines, and branches as `line:column`, that nothing has reached. */
  readonly missed: { readonly lines: readonly number[]; readonly branches: readonly string[] }
}

export function jointCoverage(file: string, source: string, tested: IstanbulFile, scripts: readonly V8Script[]): Joint {
  const starts = lineStarts(source)
  const isReached = ({ start }: Region, count: number): boolean => {
    if (count > 0 || start.line === undefined) return count > 0
    const offset = (starts[start.line - 1] ?? 0) + (start.column ?? 0)
    return scripts.some((script) => countAt(script, offset) > 0)
  }
  const lines = new Map<number, boolean>()
  for (const [id, region] of Object.entries(tested.statementMap)) {
    const line = region.start.line ?? 0
    lines.set(line, lines.get(line) === true || isReached(region, tested.s[id] ?? 0))
  }
  const branches = Object.entries(tested.branchMap).flatMap(([id, { locations }]) =>
    locations.map((region, path) => ({ region, reached: isReached(region, tested.b[id]?.[path] ?? 0) })),
  )
  const missed = {
    lines: [...lines].filter(([, reached]) => !reached).map(([line]) => line),
    branches: branches
      .filter(({ reached }) => !reached)
      .map(({ region: { start } }) => `${start.line ?? '?'}:${start.column ?? '?'}`),
  }
  const share = (total: number, left: number): Share => [total - left, total]
  const coverage = {
    file,
    lines: share(lines.size, missed.lines.length),
    branches: share(branches.length, missed.branches.length),
  }
  return { coverage, missed }
}

function lineStarts(source: string): readonly number[] {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** Of the narrowest range around it: how often what stands there ran. */
function countAt({ functions }: V8Script, offset: number): number {
  let narrowest: V8Range | undefined
  for (const { ranges } of functions) {
    for (const range of ranges) {
      if (offset < range.startOffset || offset >= range.endOffset) continue
      if (narrowest === undefined || widthOf(range) <= widthOf(narrowest)) narrowest = range
    }
  }
  return narrowest?.count ?? 0
}

function widthOf({ startOffset, endOffset }: V8Range): number {
  return endOffset - startOffset
}
