import { expect, test } from 'vitest'
import { type IstanbulFile, jointCoverage, type V8Script } from './coverage.ts'

const SOURCE = ['if (asked) {', '  answer()', '} else {', '  refuse()', '}', ''].join('\n')
const at = (line: number, column: number): IstanbulFile['statementMap'][string] => ({
  start: { line, column },
  end: { line, column: column + 1 },
})
/** Nothing but the question itself was tested. */
const TESTED: IstanbulFile = {
  statementMap: { 0: at(1, 0), 1: at(2, 2), 2: at(4, 2) },
  s: { 0: 1, 1: 0, 2: 0 },
  branchMap: { 0: { locations: [at(1, 11), at(3, 7)] } },
  b: { 0: [0, 0] },
}

/** The whole ran, but for one of the two blocks. */
function seen(without: 'answer' | 'refuse'): V8Script {
  const [from, to] =
    without === 'answer'
      ? [SOURCE.indexOf('{'), SOURCE.indexOf('} else')]
      : [SOURCE.lastIndexOf('{'), SOURCE.length - 1]
  const ranges = [
    { startOffset: 0, endOffset: SOURCE.length, count: 1 },
    { startOffset: from, endOffset: to, count: 0 },
  ]
  return { url: 'file:///core.ts', functions: [{ ranges }] }
}

test('without a simulation only what was tested is reached', () => {
  const { coverage, missed } = jointCoverage('core.ts', SOURCE, TESTED, [])
  expect(coverage).toEqual({ file: 'core.ts', lines: [1, 3], branches: [0, 2] })
  expect(missed).toEqual({ lines: [2, 4], branches: ['1:11', '3:7'] })
})

test('a block that a simulation reached counts, and an inner one that it did not enter does not', () => {
  const { coverage, missed } = jointCoverage('core.ts', SOURCE, TESTED, [seen('refuse')])
  expect(coverage).toEqual({ file: 'core.ts', lines: [2, 3], branches: [1, 2] })
  expect(missed).toEqual({ lines: [4], branches: ['3:7'] })
})

test('several simulations together reach what each of them did', () => {
  const { coverage } = jointCoverage('core.ts', SOURCE, TESTED, [seen('refuse'), seen('answer')])
  expect(coverage).toEqual({ file: 'core.ts', lines: [3, 3], branches: [2, 2] })
})
