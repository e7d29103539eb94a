/**
 * Everything that reads what others write, fed with mutated inputs: tokens, frames, messages, segments, files of a node and
 * of the archive, configuration, arguments, and bodies of HTTP. FUZZ_CASES says how many (default 200,000), FUZZ_SEED which
 * ones; a failure prints both and its input. FUZZ_KEEP=1 writes down the shortest input of each way of ending.
 */
import { expect, it } from 'vitest'
import { keepInputs } from './kept.ts'
import { SHARED_HEADER_BYTES } from './order.ts'
import { coverageTable, summaryOf } from './report.ts'
import { TARGETS } from './targets/list.ts'
import { watched, WATCHDOG_MS } from './watchdog.ts'

const CASES = Number(process.env['FUZZ_CASES'] ?? 200_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const KEEP = process.env['FUZZ_KEEP'] === '1'

const INPUT_BYTES_MAX = 256 * 1024
/** For all that was ever kept and all that waits for collection, far below what one unbounded input would take. */
const BUFFER_BYTES_MAX = 512 * 2 ** 20

it(`survives ${CASES} inputs from seed ${SEED} with documented errors, in bounded time and memory`, async () => {
  const shared = new SharedArrayBuffer(SHARED_HEADER_BYTES + INPUT_BYTES_MAX)
  const report = await watched({ seed: SEED, count: CASES, shared })
  console.log(`${summaryOf(report)}\n\n${coverageTable(report)}`)
  expect(report.inputs).toBe(CASES)
  expect(report.slowestMs, report.slowestTarget).toBeLessThan(WATCHDOG_MS)
  expect(report.bufferBytesMax).toBeLessThan(BUFFER_BYTES_MAX)
  // Both sides of every reader were reached, or the run says nothing of them.
  const outcomes = Object.keys(report.outcomes)
  const wanted = TARGETS.flatMap(({ name, reach }) => reach.map((words) => `${name}: ${words}`))
  const isReached = (words: string): boolean => outcomes.some((one) => one === words || one.startsWith(`${words} `))
  expect(wanted.filter((words) => !isReached(words))).toEqual([])
  expect(report.coverage.filter(({ entered }) => !entered).map(({ file }) => file)).toEqual([])
  if (KEEP) keepInputs(report.shortest)
})
