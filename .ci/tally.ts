/** Counts what ran: the tests of a suite by vitest's own report, every other step as one. */
import { stripVTControlCharacters } from 'node:util'

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Full names of skipped tests. */
  readonly skippedNames: readonly string[]
  /** Full names of failed tests and paths of broken files, each with what it said, on one line. */
  readonly failures: readonly string[]
}

export const NOTHING: Tally = { passed: 0, failed: 0, skipped: 0, skippedNames: [], failures: [] }

/** Enough of an assertion to know what happened, in a log that may be cut. */
const MESSAGE_CHARS_MAX = 400

interface VitestReport {
  readonly success: boolean
  readonly testResults: readonly {
    readonly status: string
    readonly name: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly fullName: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

/**
 * The tally of one suite. `reportText` is vitest's JSON report, null when there is none; `exitStatus` is null when
 * the suite was stopped. A suite that failed without a failed test (an import error, an unhandled rejection, a kill,
 * no test at all) counts one failure: it must not vanish from the sum.
 */
export function tallySuite(reportText: string | null, exitStatus: number | null): Tally {
  const report = parseReport(reportText)
  const files = report?.testResults ?? []
  const tests = files.flatMap((file) => file.assertionResults)
  const brokenFiles = files.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const passed = tests.filter((test) => test.status === 'passed').length
  const failures = [
    ...tests
      .filter((test) => test.status === 'failed')
      .map(({ fullName, failureMessages = [] }) => failure(fullName, failureMessages.join(' '))),
    ...brokenFiles.map(({ name, message = '' }) => failure(name, message)),
  ]
  const skippedNames = tests.filter((test) => !['passed', 'failed'].includes(test.status)).map((test) => test.fullName)
  const sound = exitStatus === 0 && report?.success === true && tests.length > 0
  const failed = sound ? failures.length : Math.max(1, failures.length)
  return { passed, failed, skipped: skippedNames.length, skippedNames, failures }
}

export function tallyCheck(exitStatus: number | null): Tally {
  return exitStatus === 0 ? { ...NOTHING, passed: 1 } : { ...NOTHING, failed: 1 }
}

export function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (total, tally) => ({
      passed: total.passed + tally.passed,
      failed: total.failed + tally.failed,
      skipped: total.skipped + tally.skipped,
      skippedNames: [...total.skippedNames, ...tally.skippedNames],
      failures: [...total.failures, ...tally.failures],
    }),
    NOTHING,
  )
}

/** `N passed, N failed`, with `, N skipped` when something was. */
export function lineOf({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

function failure(name: string, message: string): string {
  return `${name}: ${stripVTControlCharacters(message).replaceAll(/\s+/g, ' ').trim()}`.slice(0, MESSAGE_CHARS_MAX)
}

/** A report that is cut off or not a report at all counts as none. */
function parseReport(text: string | null): VitestReport | null {
  try {
    const report = JSON.parse(text ?? 'null') as VitestReport | null
    return Array.isArray(report?.testResults) ? report : null
  } catch {
    return null
  }
}
