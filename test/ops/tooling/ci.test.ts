import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { STEPS } from '../../../.ci/steps.ts'
import { lineOf, NOTHING, sum, tallyCheck, tallySuite } from '../../../.ci/tally.ts'
import { ROOT } from './project.ts'

type Status = 'passed' | 'failed' | 'pending' | 'skipped' | 'todo'

/** A report as vitest writes it, as far as the tally reads it: one file per list of test results. */
function report(...files: readonly (readonly Status[])[]): string {
  const testResults = files.map((statuses) => ({
    status: statuses.includes('failed') || statuses.length === 0 ? 'failed' : 'passed',
    name: 'a.test.ts',
    message: statuses.length === 0 ? 'no module' : '',
    assertionResults: statuses.map((status, index) => ({
      status,
      fullName: `${status} ${index}`,
      failureMessages: status === 'failed' ? ['expected 1\nto be 2'] : [],
    })),
  }))
  return JSON.stringify({ success: !testResults.some((file) => file.status === 'failed'), testResults })
}

describe('the tally of a suite', () => {
  it('counts the tests of every file', () => {
    expect(tallySuite(report(['passed', 'passed'], ['passed']), 0)).toEqual({ ...NOTHING, passed: 3 })
    expect(tallySuite(report(['passed', 'failed'], ['failed']), 1)).toMatchObject({ passed: 1, failed: 2 })
  })

  it('names what was skipped', () => {
    const tally = tallySuite(report(['passed', 'skipped', 'todo', 'pending']), 0)
    expect(tally).toMatchObject({ passed: 1, failed: 0, skipped: 3 })
    expect(tally.skippedNames).toEqual(['skipped 1', 'todo 2', 'pending 3'])
  })

  it('names each failure on one line', () => {
    expect(tallySuite(report(['passed', 'failed'], []), 1).failures).toEqual([
      'failed 1: expected 1 to be 2',
      'a.test.ts: no module',
    ])
  })

  it('counts a file that could not be loaded as one failure', () => {
    expect(tallySuite(report(['passed'], []), 1)).toMatchObject({ passed: 1, failed: 1 })
  })

  it.each([
    ['there is no report', null, 1],
    ['the report is cut off', '{"testResults": [', 1],
    ['the report is something else', '[]', 0],
    ['the suite was stopped before it ended', report(['passed']), null],
    ['the exit status says so, as after an unhandled rejection', report(['passed']), 1],
    ['it ran no test at all', report(), 0],
  ])('counts a failure when %s', (_, text, status) => {
    expect(tallySuite(text, status).failed).toBe(1)
  })
})

describe('the sum', () => {
  it('counts every other step as one', () => {
    expect(tallyCheck(0)).toEqual({ ...NOTHING, passed: 1 })
    expect(tallyCheck(2)).toEqual({ ...NOTHING, failed: 1 })
    expect(tallyCheck(null)).toEqual({ ...NOTHING, failed: 1 })
  })

  it('is one line, with the skipped only where there are some', () => {
    const suite = tallySuite(report(['passed', 'passed', 'failed']), 1)
    expect(lineOf(sum([suite, tallyCheck(0), tallyCheck(1)]))).toBe('3 passed, 2 failed')
    expect(lineOf(sum([tallySuite(report(['passed', 'skipped']), 0)]))).toBe('1 passed, 0 failed, 1 skipped')
    expect(lineOf(sum([]))).toBe('0 passed, 0 failed')
  })
})

describe('the steps', () => {
  it('are scripts of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }
    for (const { script } of STEPS) expect(scripts).toHaveProperty([script])
  })

  it('end within three quarters of an hour even if each one uses all of its time', () => {
    const totalMs = STEPS.reduce((sumMs, step) => sumMs + step.timeoutMs, 0)
    expect(totalMs).toBeLessThan(45 * 60_000)
  })
})
