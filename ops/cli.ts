#!/usr/bin/env node
/** The launcher of `macaroond`. It checks the version of Node first, and imports the program only if this Node can run it. */
import { reportOf } from '../shared/errors.ts'
import { nodeTooOld } from '../shared/node-version.ts'

const args = process.argv.slice(2)
const problem = nodeTooOld(process.versions.node)

// A SIGHUP while the program loads must not end a node. The node reads its configuration after that, so nothing is missed.
if (['primary', 'replica'].includes(args.find((arg) => !arg.startsWith('-')) ?? ''))
  process.on('SIGHUP', () => undefined)

if (problem === null) {
  // A dynamic import: a static one would load the SQLite driver before the check above.
  const { run } = await import('./command-line.ts')
  process.exitCode = await run(args)
} else {
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify({ error: reportOf(problem) })}\n`)
  else process.stderr.write(`macaroond: ${problem.message} (${problem.code})\n  ${problem.hint}\n`)
  process.exitCode = 1
}
