/** The summary that a run prints. */
import { decoderRooms } from './decoders.ts'
import type { FuzzReport } from './order.ts'

const SLOW_TARGETS = 5
const FILE_CHARS = 46

/** How each target ended, and how often. */
export function summaryOf(report: FuzzReport): string {
  const { inputs, outcomes, spentMs, slowestMs, slowestTarget, bufferBytesMax } = report
  const lines = Object.entries(outcomes)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([outcome, count]) => `${String(count).padStart(9)}  ${outcome}`)
  const seconds = Object.values(spentMs).reduce((sum, ms) => sum + ms, 0) / 1_000
  const dear = Object.entries(spentMs)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, SLOW_TARGETS)
    .map(([target, ms]) => `${target} ${(ms / 1_000).toFixed(1)} s`)
  return [
    ...lines,
    `${inputs} inputs of ${Object.keys(spentMs).length} targets ended in ${lines.length} ways, ${seconds.toFixed(1)} s of CPU`,
    `most of it: ${dear.join(', ')}`,
    `slowest: ${slowestMs} ms (${slowestTarget}); ${Math.ceil(bufferBytesMax / 2 ** 20)} MB of buffers at most`,
  ].join('\n')
}

/** Lines and branches that these inputs alone have reached, without any other test. */
export function coverageTable({ coverage }: FuzzReport): string {
  const byFile = new Map(coverage.map((one) => [one.file, one]))
  const share = (parts: readonly (readonly [number, number])[]): string => {
    const [reached, total] = parts.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0])
    return `${total === 0 ? 100 : Math.floor((reached * 100) / total)} %`.padStart(7)
  }
  const row = (name: string, files: readonly string[]): string => {
    const found = files.map((file) => byFile.get(file)).filter((one) => one !== undefined)
    const [lines, branches] = [share(found.map((one) => one.lines)), share(found.map((one) => one.branches))]
    return `${name.padEnd(FILE_CHARS)}${lines}${branches}`
  }
  const rooms = decoderRooms().flatMap(({ room, files }) => [
    row(room, files),
    ...files.map((file) => row(`  ${file}`, [file])),
  ])
  const heading = `${'decoders, reached by fuzzing alone'.padEnd(FILE_CHARS)}  lines branches`
  return [heading, ...rooms, row('all of them', [...byFile.keys()])].join('\n')
}
