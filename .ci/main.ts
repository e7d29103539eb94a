/** Runs every step, whatever the ones before it did, and prints the sum as the last line. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { STEPS, type Step } from './steps.ts'
import { lineOf, sum, type Tally, tallyCheck, tallySuite } from './tally.ts'

const KILL_GRACE_MS = 10_000

const reports = mkdtempSync(join(tmpdir(), 'macaroond-ci-'))
const results: { readonly step: Step; readonly tally: Tally; readonly seconds: number }[] = []

for (const step of STEPS) {
  say(`\n=== npm run ${[step.script, ...step.args].join(' ')}`)
  const started = performance.now()
  const tally = await runStep(step)
  results.push({ step, tally, seconds: (performance.now() - started) / 1_000 })
}
rmSync(reports, { recursive: true, force: true })

say('\n=== summary')
for (const { step, tally, seconds } of results) {
  say(
    `${tally.failed > 0 ? 'FAILED' : 'ok    '} ${step.script.padEnd(14)} ${seconds.toFixed(0).padStart(4)} s  ${lineOf(tally)}`,
  )
}
const total = sum(results.map((result) => result.tally))
for (const name of total.skippedNames) say(`skipped: ${name}`)
for (const what of total.failures) say(`failed: ${what}`)
say(lineOf(total))
process.exitCode = total.failed > 0 ? 1 : 0

async function runStep(step: Step): Promise<Tally> {
  if (step.kind === 'check') return tallyCheck(await npmRun(step, step.args))
  const file = join(reports, `${step.script.replaceAll(':', '-')}.json`)
  const status = await npmRun(step, [
    ...step.args,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ])
  return tallySuite(readReport(file), status)
}

/** The exit status; null when the step had to be stopped. Its whole process group ends with it. */
function npmRun(step: Step, args: readonly string[]): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', step.script, '--', ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    })
    const signal = (name: NodeJS.Signals): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name)
    }
    const kill = setTimeout(signal, step.timeoutMs + KILL_GRACE_MS, 'SIGKILL')
    const stop = setTimeout(() => {
      say(`stopped: ${step.script} took longer than ${step.timeoutMs / 1_000} s`)
      signal('SIGTERM')
    }, step.timeoutMs)
    const end = (status: number | null): void => {
      clearTimeout(stop)
      clearTimeout(kill)
      resolve(status)
    }
    child.once('error', () => end(null))
    child.once('exit', (status) => end(status))
  })
}

function readReport(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
